// A small election of which the test holds every key, so that it can publish any record: the honest
// one, and what each party, or all together, could make of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "psephos/protocol/authority.h"
#include "psephos/protocol/box.h"
#include "psephos/protocol/registrar.h"
#include "psephos/protocol/trustee.h"
#include "psephos/protocol/verify.h"
#include "psephos/protocol/wallet.h"

#include "tests/support/memory_store.h"
#include "tests/support/seeded_random.h"

namespace psephos::test {

// value fails the test (by throwing) where an honest step fails.
template <class T>
T value(Result<T> result) {
  if (!result.has_value()) {
    throw std::runtime_error(result.error().message);
  }
  return std::move(result).value();
}

class Forge {
 public:
  // Keys, ceremony, opening and open polls.
  explicit Forge(std::string_view manifest_json);

  // A voter of a style with a complete credential; the issuances go to the rolls.
  protocol::Wallet enrol(std::uint32_t style = 0);
  // The entry of a cast or challenged vote; the cells are in the order of the style's contests. put
  // adds an entry to the shard its credential belongs to.
  Bytes cast(protocol::Wallet& wallet, std::vector<std::string> cells);
  Bytes challenge(protocol::Wallet& wallet, std::vector<std::string> cells);
  void put(Bytes payload);

  // close appends the close for the logs as they are; close_again puts such a close in the place of
  // the former one and leaves everything after it.
  void close();
  void close_again();
  // tallied audits the record as it is, which ends with the close, and appends the tallies.
  protocol::AuditedBallots tallied();
  // finish tallies, decrypts with these trustees, and announces.
  void finish(std::vector<std::uint32_t> trustees = {1, 2, 3});

  // publish builds all files of the record from the lists below, every log signed by its key.
  [[nodiscard]] MemoryStore::Files publish();
  // The payload of a message replaced or kept, its signature made anew by its true sender.
  [[nodiscard]] protocol::Message sign_again(const protocol::Message& message, Bytes payload) const;
  // The position of the n-th message of a type in `main`.
  [[nodiscard]] std::size_t find(protocol::MessageType type, std::size_t n = 0) const;

  SeededRandom random{next_seed()};  // no two elections of a run have the same keys
  crypto::IndividualEvaluator evaluator;
  std::shared_ptr<const protocol::Manifest> manifest;
  std::optional<protocol::Authority> authority;
  std::vector<protocol::Trustee> trustees;
  std::vector<protocol::Registrar> registrars;
  std::optional<protocol::BoxKeys> box_keys;
  std::shared_ptr<const protocol::Election> election;

  // What was said: messages of the main log, payloads of the others, the result files.
  std::vector<protocol::Message> main;
  std::vector<std::vector<Bytes>> boxes;
  std::vector<std::vector<Bytes>> rolls;
  std::string result_json;
  std::string result_csv;

 private:
  static std::uint64_t next_seed();
  [[nodiscard]] protocol::Message close_message() const;
  std::vector<protocol::IssuanceState> issued_;
  std::uint64_t num_voters_ = 0;
};

// verify over files in memory, with every evaluator this CPU can run; throws if two reports differ.
[[nodiscard]] protocol::Report verify_files(MemoryStore::Files files,
                                            std::vector<std::string> receipts = {},
                                            std::vector<std::string> checkpoints = {});

// The manifest most tests use: two contests (1 of 3; score 0..3 over 2 options, at most 4), two
// styles, three trustees of whom two are needed, two registrars, two shards.
[[nodiscard]] std::string_view small_manifest();
// The least there is: 1 of 2, one style, two of two trustees, one registrar, one shard.
[[nodiscard]] std::string_view tiny_manifest();

// An honest record over small_manifest with five voters, a re-vote and a challenge; and one over
// tiny_manifest with two voters and a challenge. Complete, made anew by each call.
[[nodiscard]] std::unique_ptr<Forge> small_election();
[[nodiscard]] std::unique_ptr<Forge> tiny_election();

}  // namespace psephos::test
