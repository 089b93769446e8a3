// The fifteen checks of a record and what a failed one says. Spec: docs/spec.md §10.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "psephos/error.h"

namespace psephos::protocol {

enum class Check : std::uint8_t {
  record = 1,     // V1
  trustees,       // V2
  registrars,     // V3
  logs,           // V4
  order,          // V5
  ballots,        // V6
  credentials,    // V7
  ballot_proofs,  // V8
  one_ballot,     // V9
  issuance,       // V10
  challenges,     // V11
  aggregate,      // V12
  decryption,     // V13
  result,         // V14
  receipts,       // V15
};
inline constexpr std::size_t kNumChecks = 15;

// id is "V1" … "V15"; title is the name of docs/spec.md §10 ("ballot proofs").
[[nodiscard]] std::string id(Check check);
[[nodiscard]] std::string_view title(Check check);

// entry_place is "box/0 entry 17".
[[nodiscard]] std::string entry_place(const std::string& log, std::uint64_t index);

// Fault is one thing found wrong: where (a file, "box/0 entry 17", "trustee 2"), what, and the
// equation or rule that does not hold ("equation 4", "constraint"; empty if none applies).
struct Fault {
  Check check;
  std::string place;
  std::string message;
  std::string equation;

  friend bool operator==(const Fault&, const Fault&) = default;
};

// to_error turns a fault into an error of a role's tool: "V13 (decryption): main entry 12: …".
[[nodiscard]] Error to_error(const Fault& fault);

}  // namespace psephos::protocol
