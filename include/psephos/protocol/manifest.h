// The manifest: what an authority writes down before anything else exists. Spec: docs/spec.md §8.2.
//
// JSON written by people, parsed strictly; identified by the SHA-256 of the file's exact bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/crypto/ballot_form.h"
#include "psephos/crypto/note.h"
#include "psephos/error.h"

namespace psephos::protocol {

inline constexpr std::size_t kMaxManifestBytes = std::size_t{1} << 20;

enum class ContestType : std::uint8_t { choose, score };
enum class Revote : std::uint8_t { first, last };
enum class TallyBy : std::uint8_t { election, style };

struct Contest {
  std::string id;
  std::string title;
  ContestType type = ContestType::choose;
  std::vector<std::string> options;
  crypto::ContestRule rule{};
};

struct BallotStyle {
  std::string id;
  std::vector<std::uint32_t>
      contests;             // positions in Manifest::contests, in the order of the ballot
  crypto::BallotForm form;  // compiled from them
};

struct Manifest {
  Bytes file;       // the exact bytes
  Digest32 digest;  // their SHA-256

  std::string title;
  std::string origin;
  std::string opens, closes;
  std::vector<Contest> contests;
  std::vector<BallotStyle> styles;
  std::vector<std::string> trustees;  // names; trustee i is trustees[i − 1]
  std::uint32_t threshold = 0;
  std::vector<std::string> registrars;
  std::uint32_t rsa_bits = 0;
  std::uint32_t shards = 0;
  Revote revote = Revote::first;
  std::uint32_t max_ballots = 1;  // of a credential, re-votes included
  std::uint32_t max_challenges = 0;
  std::uint32_t tally_minimum = 0;
  TallyBy tally_by = TallyBy::election;
  std::vector<crypto::NoteVerifier> witnesses;
  std::uint32_t witness_quorum = 0;
  std::uint64_t voters = 0;

  // parse: Errc::malformed with a message that names the field: "contests[2].max: 7 is more than
  // the largest sum, 5". Nothing is accepted that §8.2 does not allow.
  static Result<Manifest> parse(ByteView file);

  [[nodiscard]] std::uint32_t num_trustees() const {
    return static_cast<std::uint32_t>(trustees.size());
  }
  [[nodiscard]] std::uint32_t num_registrars() const {
    return static_cast<std::uint32_t>(registrars.size());
  }
  [[nodiscard]] std::uint32_t num_styles() const {
    return static_cast<std::uint32_t>(styles.size());
  }
  [[nodiscard]] std::size_t signature_bytes() const { return rsa_bits / 8; }

  // Sizes of box entries of a style, whole (docs/spec.md §8.5).
  [[nodiscard]] std::size_t ballot_entry_size(std::uint32_t style) const;
  [[nodiscard]] std::size_t challenge_entry_size(std::uint32_t style) const;
  // The position of a contest's first option among the options of a style; the contest must be
  // there.
  [[nodiscard]] std::size_t first_option(std::uint32_t style, std::uint32_t contest) const;
  [[nodiscard]] bool has_contest(std::uint32_t style, std::uint32_t contest) const;

  // Names of logs: the directory in the record ("box/3") and the origin (docs/spec.md §7.1).
  static std::string main_log() { return "main"; }
  static std::string box_log(std::uint32_t shard) { return "box/" + std::to_string(shard); }
  static std::string roll_log(std::uint32_t registrar) {
    return "roll/" + std::to_string(registrar);
  }
  [[nodiscard]] std::string log_origin(const std::string& log) const { return origin + "/" + log; }
};

}  // namespace psephos::protocol
