#include "psephos/protocol/check.h"

namespace psephos::protocol {

std::string id(Check check) { return "V" + std::to_string(static_cast<unsigned>(check)); }

std::string_view title(Check check) {
  switch (check) {
    case Check::record:
      return "record";
    case Check::trustees:
      return "trustees";
    case Check::registrars:
      return "registrars";
    case Check::logs:
      return "logs";
    case Check::order:
      return "order";
    case Check::ballots:
      return "ballots";
    case Check::credentials:
      return "credentials";
    case Check::ballot_proofs:
      return "ballot proofs";
    case Check::one_ballot:
      return "one ballot per credential";
    case Check::issuance:
      return "issuance";
    case Check::challenges:
      return "challenges";
    case Check::aggregate:
      return "aggregate";
    case Check::decryption:
      return "decryption";
    case Check::result:
      return "result";
    case Check::receipts:
      return "receipts";
  }
  return "unknown";
}

std::string entry_place(const std::string& log, std::uint64_t index) {
  return log + " entry " + std::to_string(index);
}

Error to_error(const Fault& fault) {
  std::string text = id(fault.check) + " (" + std::string(title(fault.check)) + "): ";
  if (!fault.place.empty()) {
    text += fault.place + ": ";
  }
  text += fault.message;
  if (!fault.equation.empty()) {
    text += " (" + fault.equation + ")";
  }
  return {Errc::rejected, std::move(text)};
}

}  // namespace psephos::protocol
