#include "psephos/protocol/box.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/protocol/receipt.h"
#include "psephos/protocol/record_log_store.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/memory_log_store.h"
#include "tests/support/memory_store.h"
#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using test::fails_with;
using test::is_ok;
using test::kMayor;
using test::MemoryLogStore;
using test::MemoryStore;
using test::must;
using test::SeededRandom;
using test::TestElection;
using test::Voter;

const crypto::IndividualEvaluator kEvaluator;
const std::vector<std::uint32_t> kVote = {0, 1, 0};

const TestElection& first() {
  static const TestElection election = test::make_election();
  return election;
}
const TestElection& last() {
  static const TestElection election = test::make_election({.revote = "last"});
  return election;
}
const TestElection& sharded() {
  static const TestElection election = test::make_election({.revote = "last", .shards = 4});
  return election;
}

void create_logs(MemoryStore& store, const TestElection& of) {
  must(RecordLogStore(store, *of.election)
           .commit(must(Box::empty_logs(*of.election, of.box_keys, all_shards(of.manifest())))));
}
Result<Box> open(const LogStore& logs, const TestElection& of) {
  return Box::open(of.election, logs, of.box_keys, all_shards(of.manifest()));
}
// Whether a box opens over what is in the store.
Result<void> opens(MemoryStore& store, const TestElection& of) {
  const RecordLogStore logs(store, *of.election);
  PSEPHOS_CHECK_OK(open(logs, of));
  return {};
}

Bytes cast(const TestElection& of, const Voter& voter, std::uint32_t sequence, Random& random) {
  return encode(of.ballot(voter, of.encrypt(voter, sequence, kVote, random), random));
}
Bytes cast(const TestElection& of, Random& random) {
  return cast(of, of.voter(kMayor, random), 0, random);
}

// "box/0 3" or the fault's check.
std::string told(const Box::Outcome& outcome) {
  if (!outcome.has_value()) {
    return id(outcome.error().check);
  }
  return Manifest::box_log(outcome->shard) + " " + std::to_string(outcome->index);
}
std::vector<std::string> told(const std::vector<Box::Outcome>& outcomes) {
  std::vector<std::string> result;
  for (const auto& outcome : outcomes) {
    result.push_back(told(outcome));
  }
  return result;
}
using Told = std::vector<std::string>;

Bytes stored(const MemoryStore& store, const TestElection& of, const Box::Accepted& accepted) {
  const std::string log = Manifest::box_log(accepted.shard);
  const LogReader reader = must(LogReader::open(store, log, of.manifest().log_origin(log)));
  const Bytes entry = must(reader.entry(accepted.index));
  const ByteView payload = must(payload_of(entry));
  return {payload.begin(), payload.end()};
}

// Another stream of random bytes at each call, all from the seed of this run.
std::uint64_t next_seed() {
  static std::uint64_t seed = test::test_seed();
  return seed++;
}

// An open box over empty logs.
struct Polls {
  explicit Polls(const TestElection& election) : of(election) {
    create_logs(store, of);
    reopen();
  }
  Result<std::vector<Box::Outcome>> try_accept(const std::vector<Bytes>& batch, Executor& on) {
    return protocol::accept(*box, *of.election, *logs, batch, kEvaluator, on, random);
  }
  std::vector<Box::Outcome> accept(const std::vector<Bytes>& batch) {
    return must(try_accept(batch, executor));
  }
  void reopen() {
    logs.emplace(store, *of.election);
    box.emplace(must(open(*logs, of)));
  }

  const TestElection& of;
  SeededRandom random{next_seed()};
  SerialExecutor executor;
  MemoryStore store;
  std::optional<RecordLogStore> logs;
  std::optional<Box> box;
};

void check_receipt_of(const Polls& polls, const Box::Accepted& accepted, const Bytes& entry) {
  const std::string log = Manifest::box_log(accepted.shard);
  const BoxReceipt receipt =
      must(BoxReceipt::read(*polls.of.election, must(polls.box->receipt(accepted))));
  EXPECT_EQ(receipt.shard, accepted.shard);
  EXPECT_EQ(receipt.promise.index, accepted.index);
  EXPECT_TRUE(equal(must(payload_of(receipt.promise.entry)), entry));
  const LogReader reader =
      must(LogReader::open(polls.store, log, polls.of.manifest().log_origin(log)));
  EXPECT_TRUE(is_ok(check_receipt(reader, receipt.promise)));
}

TEST(Box, OutcomesStandInTheOrderOfTheBatch) {
  Polls polls(sharded());
  std::vector<Bytes> batch;
  for (int i = 0; i < 12; ++i) {
    batch.push_back(cast(sharded(), polls.random));
  }
  Bytes bad_proof = cast(sharded(), polls.random);
  bad_proof.back() ^= 1;
  batch.insert(batch.begin() + 3, bad_proof);
  batch.insert(batch.begin() + 7, Bytes{1, 2, 3});
  const auto outcomes = polls.accept(batch);
  ASSERT_EQ(outcomes.size(), 14U);
  std::set<std::pair<std::uint32_t, std::uint64_t>> places;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (i == 3 || i == 7) {
      EXPECT_EQ(told(outcomes[i]), i == 3 ? "V8" : "V6");
      continue;
    }
    ASSERT_TRUE(outcomes[i].has_value()) << outcomes[i].error().message;
    EXPECT_EQ(stored(polls.store, sharded(), *outcomes[i]), batch[i]);
    const BoxEntry entry = must(decode_box_entry(batch[i], *sharded().election));
    EXPECT_EQ(outcomes[i]->shard, shard_of(encrypted_of(entry).credential.bytes(), 4));
    places.emplace(outcomes[i]->shard, outcomes[i]->index);
    check_receipt_of(polls, *outcomes[i], batch[i]);
  }
  EXPECT_EQ(places.size(), 12U);
  std::uint64_t used = 0;
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    used += polls.box->state(shard)->credentials_used(kMayor);
  }
  EXPECT_EQ(used, 12U);
}

TEST(Box, EmptyBatch) {
  Polls polls(first());
  const auto before = polls.store.num_changes();
  EXPECT_TRUE(polls.accept({}).empty());
  EXPECT_EQ(told(polls.accept({Bytes{}})), Told{"V6"});
  EXPECT_EQ(polls.store.num_changes(), before);  // nothing taken, nothing written
}

TEST(Box, LogTellsNothingAboutTheOrderOfArrival) {
  SeededRandom random(next_seed());
  std::vector<Bytes> batch;
  for (int i = 0; i < 6; ++i) {
    batch.push_back(cast(first(), random));
  }
  std::map<Told, int> orders;
  std::map<std::string, int> places_of_the_first;
  for (int round = 0; round < 12; ++round) {
    Polls polls(first());
    const Told order = told(polls.accept(batch));
    ++orders[order];
    ++places_of_the_first[order[0]];
  }
  EXPECT_GT(orders.size(), 6U);  // 720 orders
  EXPECT_GT(places_of_the_first.size(), 1U);
}

TEST(Box, RefusesWhatItMust) {
  Polls polls(first());
  const Voter voter = first().voter(kMayor, polls.random);
  const auto opening = first().encrypt(voter, 1, kVote, polls.random);
  const Bytes ballot = encode(first().ballot(voter, opening, polls.random));
  const Bytes challenge = encode(first().challenge(voter, opening, polls.random));
  const TestElection elsewhere = test::make_election({.origin = "vote.example/other"});

  EXPECT_EQ(told(polls.accept({Bytes{}, Bytes(1000, 32), cast(elsewhere, polls.random)})),
            (Told{"V6", "V6", "V7"}));
  // A credential that no registrar signed.
  Voter unsigned_voter = first().voter(kMayor, polls.random);
  polls.random.fill(unsigned_voter.credential.signatures[0].signature);
  EXPECT_EQ(told(polls.accept({cast(first(), unsigned_voter, 0, polls.random)})), Told{"V7"});
  // Challenged, then cast.
  EXPECT_EQ(told(polls.accept({challenge})), Told{"box/0 0"});
  EXPECT_EQ(told(polls.accept({ballot})), Told{"V9"});  // the same sequence
  // Voted, then voted again.
  EXPECT_EQ(told(polls.accept({cast(first(), voter, 2, polls.random)})), Told{"box/0 1"});
  EXPECT_EQ(told(polls.accept({cast(first(), voter, 3, polls.random)})), Told{"V9"});
  EXPECT_EQ(told(polls.accept({encode(first().challenge(
                voter, first().encrypt(voter, 4, kVote, polls.random), polls.random))})),
            Told{"V9"});
}

TEST(Box, ChallengedCiphertextsUnderAHigherSequence) {
  Polls polls(last());
  const Voter voter = last().voter(kMayor, polls.random);
  auto opening = last().encrypt(voter, 0, kVote, polls.random);
  EXPECT_EQ(told(polls.accept({encode(last().challenge(voter, opening, polls.random))})),
            Told{"box/0 0"});
  opening.ballot.sequence = 1;
  EXPECT_EQ(told(polls.accept({encode(last().ballot(voter, opening, polls.random))})), Told{"V11"});
  EXPECT_EQ(told(polls.accept({encode(last().challenge(voter, opening, polls.random))})),
            Told{"V11"});
}

TEST(Box, TooManyChallenges) {
  Polls polls(last());
  const Voter voter = last().voter(kMayor, polls.random);
  const auto challenge = [&](std::uint32_t sequence) {
    return encode(last().challenge(voter, last().encrypt(voter, sequence, kVote, polls.random),
                                   polls.random));
  };
  EXPECT_EQ(told(polls.accept({challenge(0)})), Told{"box/0 0"});
  EXPECT_EQ(told(polls.accept({challenge(1)})), Told{"box/0 1"});
  EXPECT_EQ(told(polls.accept({challenge(2)})), Told{"V11"});
  EXPECT_EQ(told(polls.accept({cast(last(), voter, 3, polls.random)})), Told{"box/0 2"});
  EXPECT_EQ(polls.box->state(0)->num_challenges(), 2U);
}

TEST(Box, TwoBallotsOfACredentialInOneBatch) {
  Polls polls(first());
  const Voter voter = first().voter(kMayor, polls.random);
  auto outcomes = told(
      polls.accept({cast(first(), voter, 0, polls.random), cast(first(), voter, 1, polls.random)}));
  std::ranges::sort(outcomes);
  EXPECT_EQ(outcomes, (Told{"V9", "box/0 0"}));
}

TEST(Box, SameEntryGetsTheSameAnswer) {
  Polls polls(last());
  const Voter voter = last().voter(kMayor, polls.random);
  const Bytes challenge =
      encode(last().challenge(voter, last().encrypt(voter, 0, kVote, polls.random), polls.random));
  const Bytes ballot = cast(last(), voter, 1, polls.random);
  EXPECT_EQ(told(polls.accept({challenge})), Told{"box/0 0"});
  EXPECT_EQ(told(polls.accept({challenge, challenge})), (Told{"box/0 0", "box/0 0"}));
  // Twice in the batch that takes it.
  EXPECT_EQ(told(polls.accept({ballot, ballot, challenge})),
            (Told{"box/0 1", "box/0 1", "box/0 0"}));
  EXPECT_EQ(told(polls.accept({ballot})), Told{"box/0 1"});
  polls.reopen();
  EXPECT_EQ(told(polls.accept({challenge, ballot})), (Told{"box/0 0", "box/0 1"}));
  // The same vote under a new proof is another entry.
  SeededRandom other(next_seed());
  EXPECT_EQ(told(polls.accept({cast(last(), voter, 1, other)})), Told{"V9"});
  // One that was superseded is refused: the credential has gone on.
  EXPECT_EQ(told(polls.accept({cast(last(), voter, 2, polls.random)})), Told{"box/0 2"});
  EXPECT_EQ(told(polls.accept({ballot})), Told{"V9"});
  EXPECT_EQ(told(polls.accept({challenge})), Told{"box/0 0"});
  const LogReader reader =
      must(LogReader::open(polls.store, "box/0", last().manifest().log_origin("box/0")));
  EXPECT_EQ(reader.tree().size, 3U);
}

TEST(Box, GoesOnAfterReopening) {
  Polls polls(sharded());
  std::vector<Voter> voters;
  for (int i = 0; i < 5; ++i) {
    voters.push_back(sharded().voter(kMayor, polls.random));
    ASSERT_TRUE(polls.accept({cast(sharded(), voters.back(), 3, polls.random)})[0].has_value());
  }
  polls.reopen();
  for (const Voter& voter : voters) {
    EXPECT_EQ(polls.box->state(shard_of(voter.pk.bytes(), 4))->last_sequence(voter.pk), 3U);
    const auto outcomes = polls.accept(
        {cast(sharded(), voter, 3, polls.random), cast(sharded(), voter, 2, polls.random)});
    EXPECT_EQ(told(outcomes), (Told{"V9", "V9"}));
    EXPECT_TRUE(polls.accept({cast(sharded(), voter, 4, polls.random)})[0].has_value());
  }
}

TEST(Box, ReceiptsStayGoodAsTheLogGrows) {
  Polls polls(first());
  const Bytes ballot = cast(first(), polls.random);
  const auto accepted = *polls.accept({ballot})[0];
  const auto receipt = must(crypto::LogProof::parse(must(polls.box->receipt(accepted))));
  polls.accept({cast(first(), polls.random), cast(first(), polls.random)});
  const LogReader reader =
      must(LogReader::open(polls.store, "box/0", first().manifest().log_origin("box/0")));
  const auto read = [&](const crypto::LogProof& proof) {
    return BoxReceipt::read(*first().election, proof.print());
  };
  EXPECT_TRUE(is_ok(check_receipt(reader, must(read(receipt)).promise)));
  check_receipt_of(polls, accepted, ballot);

  auto other = receipt;
  other.index = 1;
  EXPECT_TRUE(fails_with(Errc::rejected, read(other)));
  other = receipt;
  other.extra->front() ^= 1;
  EXPECT_TRUE(fails_with(Errc::rejected, read(other)));
  EXPECT_TRUE(fails_with(Errc::misuse, polls.box->receipt({.shard = 0, .index = 3})));
  EXPECT_TRUE(fails_with(Errc::misuse, polls.box->receipt({.shard = 1, .index = 0})));
}

// --- opening -------------------------------------------------------------------------------------

TEST(BoxOpen, NeedsItsLogsAndKeys) {
  MemoryStore empty;
  EXPECT_FALSE(opens(empty, first()).has_value());
  MemoryStore one_missing;
  create_logs(one_missing, sharded());
  EXPECT_TRUE(is_ok(opens(one_missing, sharded())));
  must(one_missing.remove("box/2/checkpoint"));
  EXPECT_FALSE(opens(one_missing, sharded()).has_value());

  MemoryStore store;
  create_logs(store, first());
  SeededRandom random;
  const BoxKeys others = BoxKeys::create(first().manifest(), random);
  const RecordLogStore logs(store, *first().election);
  const auto shards = all_shards(first().manifest());
  EXPECT_TRUE(fails_with(Errc::misuse, Box::open(first().election, logs, others, shards)));
  EXPECT_TRUE(fails_with(Errc::misuse, Box::open(first().election, logs, last().box_keys, shards)));
  EXPECT_TRUE(fails_with(Errc::misuse, Box::empty_logs(*first().election, others, shards)));
}

// A log with the right chain, tree and signature that holds what no box takes.
Result<void> open_with(const TestElection& of, const std::vector<Bytes>& entries) {
  MemoryStore store;
  create_logs(store, of);
  LogWriter log =
      must(LogWriter::open(store, "box/0", must(of.box_keys.log_signer(of.manifest(), 0))));
  for (const Bytes& entry : entries) {
    must(log.append(entry));
  }
  must(log.publish());
  return opens(store, of);
}

TEST(BoxOpen, RefusesALogItWouldNotHaveWritten) {
  SeededRandom random;
  const Voter voter = first().voter(kMayor, random);
  const Bytes one = cast(first(), voter, 0, random);
  const Bytes two = cast(first(), voter, 1, random);
  const Bytes other = cast(first(), random);
  EXPECT_TRUE(is_ok(open_with(first(), {one, other})));
  const auto message = [](const Result<void>& box) {
    EXPECT_TRUE(fails_with(Errc::rejected, box));
    return box.has_value() ? "" : box.error().message;
  };
  EXPECT_EQ(message(open_with(first(), {one, other, two})),
            "V9 (one ballot per credential): box/0 entry 2: this credential has voted already and "
            "the manifest allows no second ballot");
  EXPECT_EQ(message(open_with(first(), {one, one})).substr(0, 47),
            "V9 (one ballot per credential): box/0 entry 1: ");
  EXPECT_EQ(message(open_with(first(), {other, Bytes{32}})),
            "box/0 entry 1: ballot: style: needs 4 bytes, 0 are left");
  EXPECT_EQ(message(open_with(first(), {Bytes(70, 48)})),
            "box/0 entry 0: type 48 is no type of a box entry");
}

// --- keys ----------------------------------------------------------------------------------------

// Two openings of one manifest that list the same keys: a box serves the one it was started for.
TEST(BoxKeys, ServeTheElectionTheyWereStartedFor) {
  SeededRandom random;
  const auto manifest = test::manifest_of({});
  BoxKeys keys = BoxKeys::create(*manifest, random);
  const auto election_of = [&](const std::vector<crypto::Ed25519PublicKey>& box_logs) {
    test::Parties parties{.joint_key = crypto::multiply_base(crypto::SecretScalar::random(random)),
                          .registrar_logs = {crypto::Ed25519SecretKey::random(random).public_key()},
                          .credentials = {{}},
                          .box_logs = box_logs};
    for (const crypto::RsaSecretKey& key : first().credentials[0]) {
      parties.credentials[0].push_back(key.public_key());
    }
    return test::election_with(manifest, std::move(parties));
  };
  const auto one = election_of(keys.public_keys());
  const auto two = election_of(keys.public_keys());
  const auto foreign = election_of(first().box_keys.public_keys());
  ASSERT_NE(one->id(), two->id());
  MemoryStore store;
  must(LogWriter::create(store, "box/0", must(keys.log_signer(*manifest, 0))));
  const RecordLogStore logs(store, *one);
  const auto open_one = [&](const BoxKeys& with) {
    return Box::open(one, logs, with, all_shards(*manifest));
  };

  EXPECT_TRUE(fails_with(Errc::misuse, keys.serves(*one)));
  EXPECT_TRUE(fails_with(Errc::misuse, open_one(keys)));
  EXPECT_TRUE(fails_with(Errc::misuse, keys.start(*foreign)));
  EXPECT_TRUE(fails_with(Errc::misuse, keys.start(*first().election)));
  EXPECT_TRUE(is_ok(keys.start(*one)));
  EXPECT_TRUE(is_ok(keys.start(*one))) << "once more";
  EXPECT_TRUE(is_ok(open_one(keys)));

  BoxKeys loaded = must(BoxKeys::load(keys.save()));
  EXPECT_TRUE(is_ok(loaded.serves(*one)));
  EXPECT_TRUE(fails_with(Errc::misuse, loaded.serves(*two)));
  const auto refused = loaded.start(*two);
  EXPECT_TRUE(fails_with(Errc::misuse, refused));
  EXPECT_TRUE(refused.error().message.contains("another election of this manifest"));
  EXPECT_TRUE(is_ok(open_one(loaded))) << "still bound to the first";
  EXPECT_TRUE(fails_with(Errc::misuse, Box::open(two, logs, loaded, all_shards(*manifest))));
}

TEST(BoxKeys, SaveAndLoad) {
  const BoxKeys& keys = sharded().box_keys;
  const SecretBuffer saved = keys.save();
  const BoxKeys loaded = must(BoxKeys::load(saved));
  EXPECT_TRUE(equal(loaded.save().expose_secret(), saved.expose_secret()));
  EXPECT_EQ(loaded.public_keys(), keys.public_keys());
  EXPECT_EQ(loaded.public_keys(), sharded().election->opening().box_logs);
  EXPECT_EQ(loaded.manifest_digest(), sharded().manifest().digest);
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    EXPECT_EQ(must(loaded.log_signer(sharded().manifest(), shard))->verifier(),
              must(sharded().election->log_verifier(Manifest::box_log(shard))));
  }
  EXPECT_TRUE(fails_with(Errc::misuse, loaded.log_signer(sharded().manifest(), 4)));
  EXPECT_TRUE(fails_with(Errc::misuse, loaded.log_signer(first().manifest(), 0)));
}

TEST(BoxKeys, LoadRefusesOtherLengths) {
  const SecretBuffer saved = sharded().box_keys.save();
  const ByteView bytes = saved.expose_secret();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_TRUE(fails_with(Errc::malformed, BoxKeys::load(SecretBuffer(bytes.first(size)))));
  }
  Bytes longer(bytes.begin(), bytes.end());
  longer.push_back(0);
  EXPECT_TRUE(fails_with(Errc::malformed, BoxKeys::load(SecretBuffer(longer))));
  Bytes many(bytes.begin(), bytes.end());
  many[32] = 0xff;
  EXPECT_TRUE(fails_with(Errc::malformed, BoxKeys::load(SecretBuffer(many))));
  Bytes flagged(bytes.begin(), bytes.end());
  flagged[bytes.size() - 33] = 2;
  EXPECT_TRUE(fails_with(Errc::malformed, BoxKeys::load(SecretBuffer(flagged))));
}

// --- failures of the store -----------------------------------------------------------------------

// The store fails at each of its changes in turn. Nothing acknowledged is lost, nothing is taken
// twice, and whoever asks again after reopening gets an answer.
TEST(BoxFailures, AtEveryWrite) {
  SeededRandom random(next_seed());
  const std::vector<Bytes> before = {cast(sharded(), random), cast(sharded(), random)};
  std::vector<Bytes> batch;
  for (int i = 0; i < 5; ++i) {
    batch.push_back(cast(sharded(), random));
  }

  for (const auto failure : {MemoryStore::Failure::lost, MemoryStore::Failure::persisted}) {
    bool failed = true;
    std::size_t at = 0;
    for (; failed; ++at) {
      Polls polls(sharded());
      const Told acknowledged = told(polls.accept(before));
      polls.store.fail_at(at, failure);
      const auto outcomes = polls.try_accept(batch, polls.executor);
      failed = !outcomes.has_value();
      if (failed) {
        EXPECT_TRUE(fails_with(Errc::environment, outcomes));
        const auto refused = polls.try_accept(batch, polls.executor);
        EXPECT_TRUE(fails_with(Errc::misuse, refused));
      }
      polls.reopen();
      const auto again = polls.accept(batch);
      EXPECT_EQ(told(polls.accept(before)), acknowledged);
      std::set<Told::value_type> places;
      for (std::size_t i = 0; i < batch.size(); ++i) {
        ASSERT_TRUE(again[i].has_value()) << again[i].error().message;
        EXPECT_EQ(stored(polls.store, sharded(), *again[i]), batch[i]);
        check_receipt_of(polls, *again[i], batch[i]);
        places.insert(told(again[i]));
      }
      EXPECT_EQ(places.size(), batch.size());
      std::uint64_t entries = 0;
      for (std::uint32_t shard = 0; shard < 4; ++shard) {
        const std::string log = Manifest::box_log(shard);
        entries += must(LogReader::open(polls.store, log, sharded().manifest().log_origin(log)))
                       .tree()
                       .size;
      }
      EXPECT_EQ(entries, before.size() + batch.size());
    }
    EXPECT_GT(at, 5U);
  }
}

// --- a store that keeps every checkpoint ---------------------------------------------------------

// An open box over a store as a server has one.
struct Station {
  explicit Station(const TestElection& election, std::vector<std::uint32_t> some_shards = {})
      : of(election),
        shards(some_shards.empty() ? all_shards(of.manifest()) : std::move(some_shards)) {
    must(store.commit(must(Box::empty_logs(*of.election, of.box_keys, shards))));
    reopen();
  }
  void reopen() {
    store.reopen();
    box.emplace(must(Box::open(of.election, store, of.box_keys, shards)));
  }
  Result<Box::Decision> decide(const std::vector<Bytes>& batch) {
    const std::vector<ByteView> views(batch.begin(), batch.end());
    return box->decide(batch, Box::judge(*of.election, views, kEvaluator), random);
  }
  Result<std::vector<Box::Outcome>> try_accept(const std::vector<Bytes>& batch) {
    return protocol::accept(*box, *of.election, store, batch, kEvaluator, executor, random);
  }
  std::vector<Box::Outcome> accept(const std::vector<Bytes>& batch) {
    return must(try_accept(batch));
  }
  // The fault of one entry that must be refused.
  Fault fault_of(const Bytes& entry) {
    auto outcome = accept({entry})[0];
    EXPECT_FALSE(outcome.has_value());
    return outcome.has_value() ? Fault{} : std::move(outcome.error());
  }
  std::string refusal(const Bytes& entry) { return must(box->refusal(entry, fault_of(entry))); }
  [[nodiscard]] crypto::NoteVerifier key(std::uint32_t shard) const {
    return must(of.election->log_verifier(Manifest::box_log(shard)));
  }

  const TestElection& of;
  SeededRandom random{next_seed()};
  SerialExecutor executor;
  std::vector<std::uint32_t> shards;
  MemoryLogStore store;
  std::optional<Box> box;
};

Voter voter_of_shard(const TestElection& of, std::uint32_t shard, Random& random) {
  while (true) {
    Voter voter = of.voter(kMayor, random);
    if (shard_of(voter.pk.bytes(), of.manifest().shards) == shard) {
      return voter;
    }
  }
}

TEST(BoxStation, CommitsWhatWasDecided) {
  Station station(sharded());
  std::vector<Bytes> batch;
  for (int i = 0; i < 6; ++i) {
    batch.push_back(cast(sharded(), station.random));
  }
  batch.push_back(batch[2]);
  batch.push_back(Bytes{1});
  const auto decision = must(station.decide(batch));
  ASSERT_EQ(decision.outcomes.size(), 8U);
  EXPECT_EQ(told(decision.outcomes[2]), told(decision.outcomes[6]));
  EXPECT_EQ(told(decision.outcomes[7]), "V6");
  std::size_t entries = 0;
  std::set<std::string> logs;
  for (const LogBatch& sealed : decision.batches) {
    EXPECT_TRUE(logs.insert(sealed.log).second) << "one batch a log";
    EXPECT_FALSE(sealed.entries.empty());
    EXPECT_EQ(sealed.first, 0U);
    entries += sealed.entries.size();
  }
  EXPECT_EQ(entries, 6U);
  EXPECT_TRUE(is_ok(station.store.commit(decision.batches)));
  station.box->committed();
  for (std::size_t i = 0; i < 7; ++i) {
    const Box::Accepted& accepted = *decision.outcomes[i];
    const std::string log = Manifest::box_log(accepted.shard);
    const Bytes kept = must(station.store.entry(log, accepted.index));
    EXPECT_TRUE(equal(must(payload_of(kept)), batch[i]));
    // It is found by what its voter knows.
    const BoxEntry entry = must(decode_box_entry(batch[i], *sharded().election));
    const auto code = tracking_code(sharded().election->id(), style_of(entry), encrypted_of(entry));
    EXPECT_EQ(must(station.store.find(log, code)), accepted.index);
  }
  // Nothing new: nothing to commit.
  EXPECT_TRUE(must(station.decide(batch)).batches.empty());
  EXPECT_TRUE(is_ok(station.decide({cast(sharded(), station.random)})));
}

TEST(BoxStation, EveryEntryWasJudged) {
  Station station(first());
  const std::vector<Bytes> batch = {cast(first(), station.random)};
  EXPECT_TRUE(fails_with(Errc::misuse, station.box->decide(batch, {}, station.random)));
  EXPECT_TRUE(is_ok(station.decide(batch))) << "that was no decision";
}

// What the box gives a store as keys is unique wherever the fold takes an entry, and the same where
// it does not.
TEST(BoxStation, KeysOfEntriesAreUnique) {
  for (const TestElection* of : {&first(), &last()}) {
    Station station(*of);
    const Voter one = of->voter(kMayor, station.random);
    const Voter two = of->voter(kMayor, station.random);
    std::set<Bytes> keys;
    std::size_t entries = 0;
    const auto take = [&](const Bytes& entry) {
      const auto decision = must(station.decide({entry}));
      must(station.store.commit(decision.batches));
      station.box->committed();
      for (const LogBatch& sealed : decision.batches) {
        for (const LogEntry& sealed_entry : sealed.entries) {
          keys.insert(sealed_entry.key);
          ++entries;
        }
      }
    };
    for (const Voter* voter : {&one, &two}) {
      for (const std::uint32_t sequence : {0U, 1U}) {
        take(encode(of->challenge(*voter, of->encrypt(*voter, sequence, kVote, station.random),
                                  station.random)));
      }
      for (const std::uint32_t sequence : {2U, 3U, 4U}) {
        take(cast(*of, *voter, sequence, station.random));
      }
    }
    EXPECT_EQ(entries, of == &first() ? 6U : 10U);
    EXPECT_EQ(keys.size(), entries);
  }
  // A box whose fold had lost a ballot would be stopped by the store: its key is the same.
  Station station(first());
  const Voter voter = first().voter(kMayor, station.random);
  const auto one = must(station.decide({cast(first(), voter, 0, station.random)}));
  station.reopen();
  const auto two = must(station.decide({cast(first(), voter, 1, station.random)}));
  EXPECT_EQ(one.batches[0].entries[0].key, two.batches[0].entries[0].key);
}

TEST(BoxStation, ReceiptsNeverChange) {
  Station station(sharded());
  std::vector<Bytes> batch;
  std::vector<Box::Accepted> accepted;
  std::vector<std::string> receipts;
  for (int round = 0; round < 4; ++round) {
    std::vector<Bytes> some;
    for (int i = 0; i <= round; ++i) {
      some.push_back(cast(sharded(), station.random));
    }
    for (const auto& outcome : station.accept(some)) {
      ASSERT_TRUE(outcome.has_value());
      accepted.push_back(*outcome);
      receipts.push_back(must(station.box->receipt(*outcome)));
    }
    batch.insert(batch.end(), some.begin(), some.end());
    for (std::size_t i = 0; i < accepted.size(); ++i) {
      EXPECT_EQ(must(station.box->receipt(accepted[i])), receipts[i]);
    }
  }
  station.reopen();
  const auto again = station.accept(batch);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    ASSERT_TRUE(again[i].has_value());
    EXPECT_EQ(must(station.box->receipt(*again[i])), receipts[i]);
    const auto proof = must(crypto::LogProof::parse(receipts[i]));
    const auto note = must(crypto::Note::parse(proof.checkpoint));
    EXPECT_TRUE(is_ok(note.verified_by(std::vector{station.key(again[i]->shard)})));
    const Bytes entry =
        must(station.store.entry(Manifest::box_log(again[i]->shard), again[i]->index));
    EXPECT_TRUE(equal(*proof.extra, entry));
    EXPECT_TRUE(is_ok(crypto::verify_inclusion(proof.index, crypto::merkle_leaf(entry),
                                               must(crypto::Checkpoint::parse(note.text)).tree,
                                               proof.hashes)));
  }
  const auto beyond = Box::Accepted{.shard = accepted[0].shard, .index = 1000};
  EXPECT_TRUE(fails_with(Errc::misuse, station.box->receipt(beyond)));
}

// Those of a decision are those that the store will give.
TEST(BoxStation, ReceiptsOfADecision) {
  Station station(sharded());
  std::vector<Bytes> batch = {cast(sharded(), station.random)};
  ASSERT_TRUE(is_ok(station.try_accept(batch)));
  for (int i = 0; i < 9; ++i) {
    batch.push_back(cast(sharded(), station.random));
  }
  batch.push_back(batch[4]);
  batch.push_back(Bytes{1, 2, 3});
  const auto decision = must(station.decide(batch));
  const auto early = station.box->receipts(decision);
  for (std::size_t i = 0; i + 1 < batch.size(); ++i) {
    EXPECT_TRUE(fails_with(Errc::misuse, early[i])) << "nothing of it is durable";
  }
  ASSERT_TRUE(is_ok(station.store.commit(decision.batches)));
  station.box->committed();
  const auto receipts = station.box->receipts(decision);
  ASSERT_EQ(receipts.size(), batch.size());
  for (std::size_t i = 0; i + 1 < batch.size(); ++i) {
    EXPECT_EQ(must(receipts[i]), must(station.box->receipt(*decision.outcomes[i])));
  }
  EXPECT_EQ(must(receipts.back()), "") << "was refused";
}

TEST(BoxStation, NoReceiptForWhatTheStoreHasChanged) {
  Station station(first());
  station.accept({cast(first(), station.random), cast(first(), station.random)});
  Bytes changed = must(station.store.entry("box/0", 0));
  changed.back() ^= 1;
  station.store.tamper("box/0", 0, changed);
  EXPECT_TRUE(fails_with(Errc::rejected, station.box->receipt({.shard = 0, .index = 0})));
  EXPECT_TRUE(is_ok(station.box->receipt({.shard = 0, .index = 1})));
  station.store.tamper("box/0", 1, {});
  EXPECT_TRUE(fails_with(Errc::misuse, station.box->receipt({.shard = 0, .index = 1})));
  EXPECT_TRUE(fails_with(Errc::rejected, Box::open(first().election, station.store,
                                                   first().box_keys, station.shards)));
}

// Nothing is acknowledged that is not committed, and a box that does not know is opened again.
TEST(BoxStation, DecidesNothingAfterAFailedCommit) {
  for (const auto failure : {MemoryLogStore::Failure::lost, MemoryLogStore::Failure::persisted}) {
    Station station(sharded());
    const Bytes before = cast(sharded(), station.random);
    const Bytes ballot = cast(sharded(), station.random);
    const auto accepted = *station.accept({before})[0];
    const std::string receipt = must(station.box->receipt(accepted));
    station.store.fail_at(0, failure);
    EXPECT_TRUE(fails_with(Errc::environment, station.try_accept({ballot})));
    for (const std::vector<Bytes>& batch : {std::vector<Bytes>{ballot}, {before}, {Bytes{1}}, {}}) {
      EXPECT_TRUE(fails_with(Errc::misuse, station.decide(batch)));
    }
    EXPECT_TRUE(fails_with(
        Errc::misuse,
        station.box->refusal(
            Bytes{1},
            Fault{.check = Check::ballots, .place = {}, .message = "bad", .equation = {}})))
        << "it would name a tree that may never be";
    EXPECT_EQ(must(station.box->receipt(accepted)), receipt) << "of what is committed";
    station.reopen();
    const auto outcomes = station.accept({ballot, ballot, before});
    EXPECT_EQ(told(outcomes[0]), told(outcomes[1]));
    EXPECT_EQ(told(outcomes[2]), told(Box::Outcome(accepted)));
    EXPECT_EQ(must(station.box->receipt(*outcomes[2])), receipt);
    std::uint64_t entries = 0;
    for (const std::uint32_t shard : station.shards) {
      entries += station.box->log(shard).size();
    }
    EXPECT_EQ(entries, 2U);
  }
}

// Two processes with one box's keys over one store: the second to commit is refused, and knows
// better when it has opened again.
TEST(BoxStation, TwoBoxesOverOneStore) {
  Station station(first());
  const Voter voter = first().voter(kMayor, station.random);
  Box other = must(Box::open(first().election, station.store, first().box_keys, station.shards));
  EXPECT_TRUE(station.accept({cast(first(), voter, 0, station.random)})[0].has_value());
  const std::vector<Bytes> batch = {cast(first(), voter, 1, station.random)};
  EXPECT_TRUE(
      fails_with(Errc::misuse, protocol::accept(other, *first().election, station.store, batch,
                                                kEvaluator, station.executor, station.random)));
  other = must(Box::open(first().election, station.store, first().box_keys, station.shards));
  EXPECT_EQ(told(must(protocol::accept(other, *first().election, station.store, batch, kEvaluator,
                                       station.executor, station.random))),
            Told{"V9"});
}

TEST(BoxStation, KeepsSomeOfTheShards) {
  Station station(sharded(), {3, 1});
  EXPECT_EQ(station.box->state(0), nullptr);
  EXPECT_EQ(station.box->state(2), nullptr);
  ASSERT_NE(station.box->state(1), nullptr);
  ASSERT_NE(station.box->state(3), nullptr);
  EXPECT_EQ(station.box->log(3).name(), "box/3");
  std::vector<Bytes> batch;
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    batch.push_back(
        cast(sharded(), voter_of_shard(sharded(), shard, station.random), 0, station.random));
  }
  const auto outcomes = station.accept(batch);
  EXPECT_EQ(told(outcomes), (Told{"V9", "box/1 0", "V9", "box/3 0"}));
  EXPECT_EQ(outcomes[2].error().message,
            "this credential belongs in box/2, which another box keeps");
  EXPECT_TRUE(is_ok(station.box->receipt(*outcomes[1])));
  EXPECT_TRUE(fails_with(Errc::misuse, station.box->receipt({.shard = 0, .index = 0})));
  // Its word under a key that it has.
  for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
    const std::string note = must(station.box->refusal(batch[i], outcomes[i].error()));
    EXPECT_EQ(must(parse_refusal(note, station.key(1))).entry, crypto::sha256({batch[i]}));
    EXPECT_TRUE(fails_with(Errc::rejected, parse_refusal(note, station.key(2))));
  }
  EXPECT_EQ(must(station.store.checkpoint("box/0")), std::nullopt);
  EXPECT_TRUE(
      fails_with(Errc::misuse, Box::open(sharded().election, station.store, sharded().box_keys,
                                         all_shards(sharded().manifest()))));
  EXPECT_TRUE(fails_with(Errc::misuse,
                         Box::open(sharded().election, station.store, sharded().box_keys, {})));
  const std::vector<std::uint32_t> beyond = {1, 4};
  EXPECT_TRUE(fails_with(Errc::misuse,
                         Box::open(sharded().election, station.store, sharded().box_keys, beyond)));
  EXPECT_TRUE(
      fails_with(Errc::misuse, Box::empty_logs(*sharded().election, sharded().box_keys, beyond)));
}

// --- refusals ------------------------------------------------------------------------------------

TEST(BoxRefusals, SayWhatWhyAndOverWhichTree) {
  Station station(sharded());
  const Voter voter = voter_of_shard(sharded(), 2, station.random);
  const Bytes ballot = cast(sharded(), voter, 5, station.random);
  const Bytes second = cast(sharded(), voter, 4, station.random);
  ASSERT_TRUE(station.accept({ballot})[0].has_value());
  const std::string note = station.refusal(second);
  const Refusal refusal = must(parse_refusal(note, station.key(2)));
  EXPECT_EQ(refusal.entry, crypto::sha256({second}));
  EXPECT_EQ(refusal.tree, station.box->log(2).tree());
  EXPECT_EQ(refusal.tree.size, 1U);
  EXPECT_EQ(refusal.reason,
            "V9 (one ballot per credential): sequence 4 is not larger than 5, the last of this "
            "credential");
  // Bytes as docs/spec.md §7.6 says, one signature, the same each time.
  const auto parsed = must(crypto::Note::parse(note));
  EXPECT_EQ(parsed.text, "psephos/v1/refusal vote.example/2026/box/2\n" +
                             base64(crypto::sha256({second})) + "\n1\n" +
                             base64(refusal.tree.root) + "\n" + refusal.reason + "\n");
  EXPECT_EQ(parsed.signatures.size(), 1U);
  EXPECT_EQ(station.refusal(second), note);
}

TEST(BoxRefusals, OfWhateverWasSent) {
  Station station(sharded());
  const Voter voter = voter_of_shard(sharded(), 3, station.random);
  const Bytes ballot = cast(sharded(), voter, 0, station.random);
  // A shard only where there are bytes that could be a credential.
  for (const std::size_t size : {0U, 1U, 36U, 37U, 38U, 200U}) {
    const Bytes cut(ballot.begin(), ballot.begin() + static_cast<std::ptrdiff_t>(size));
    const Refusal refusal =
        must(parse_refusal(station.refusal(cut), station.key(size < 37 ? 0 : 3)));
    EXPECT_EQ(refusal.entry, crypto::sha256({cut})) << size;
    EXPECT_EQ(refusal.tree, crypto::MerkleTree().head());
    EXPECT_TRUE(refusal.reason.starts_with("V6 (ballots): ")) << refusal.reason;
  }
  const Bytes large(100000, 0xff);
  CredentialPk pk;
  pk.fill(0xff);
  EXPECT_EQ(must(parse_refusal(station.refusal(large), station.key(shard_of(pk, 4)))).entry,
            crypto::sha256({large}));
}

TEST(BoxRefusals, MessageIsOneLineOfText) {
  Station station(first());
  for (const std::string& message :
       {std::string("two\nlines"), std::string("a blank\n\nline"), std::string("\r\t\x1b[2J"),
        std::string("nul\0byte", 8), std::string("not UTF-8 \xff\xfe"), std::string("\u0085\u009f"),
        std::string("\n\n\u2014 box AAAA\n"), std::string("\x7f"), std::string()}) {
    const Fault fault{
        .check = Check::one_ballot, .place = "box/0\n", .message = message, .equation = "\n"};
    const std::string note = must(station.box->refusal(Bytes{1}, fault));
    const Refusal refusal = must(parse_refusal(note, station.key(0)));
    EXPECT_EQ(refusal.reason, printable(to_error(fault).message));
    EXPECT_TRUE(refusal.reason.starts_with("V9 (one ballot per credential): box/0\\x0a: "));
    EXPECT_FALSE(refusal.reason.contains('\n'));
    EXPECT_EQ(must(crypto::Note::parse(note)).signatures.size(), 1U);
  }
}

TEST(BoxRefusals, ParseTakesNothingElse) {
  Station station(sharded());
  const Bytes bad = {32, 1, 2, 3};
  const std::string note = station.refusal(bad);
  const crypto::NoteVerifier key = station.key(0);
  EXPECT_TRUE(is_ok(parse_refusal(note, key)));
  for (std::uint32_t shard = 1; shard < 4; ++shard) {
    EXPECT_TRUE(fails_with(Errc::rejected, parse_refusal(note, station.key(shard))));
  }
  // Another key with the same name.
  SeededRandom random;
  const auto stranger =
      must(crypto::NoteVerifier::create(key.name(), crypto::NoteAlgorithm::ed25519,
                                        crypto::Ed25519SecretKey::random(random).public_key()));
  EXPECT_TRUE(fails_with(Errc::rejected, parse_refusal(note, stranger)));
  for (std::size_t at = 0; at < note.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string changed = note;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ (1U << bit));
      EXPECT_FALSE(parse_refusal(changed, key).has_value()) << at << " " << bit;
    }
    EXPECT_FALSE(parse_refusal(note.substr(0, at), key).has_value()) << at;
    std::string longer = note;
    longer.insert(at, 1, '\n');
    EXPECT_FALSE(parse_refusal(longer, key).has_value()) << at;
  }
}

// Texts that the box's key signed, but no refusals.
TEST(BoxRefusals, HaveExactlyTheirLines) {
  const auto signer = must(first().box_keys.log_signer(first().manifest(), 0));
  const crypto::NoteVerifier key = signer->verifier();
  const std::string name = "psephos/v1/refusal " + key.name();
  const std::string digest = base64(crypto::sha256({}));
  const auto parse = [&](const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
      text += line + "\n";
    }
    return parse_refusal(must(signer->sign(text)), key);
  };
  EXPECT_TRUE(is_ok(parse({name, digest, "0", digest, "V6"})));
  EXPECT_TRUE(is_ok(parse({name, digest, "7", digest, "V6"})));
  for (const std::vector<std::string>& lines : std::vector<std::vector<std::string>>{
           {name, digest, "0", digest},
           {name, digest, "0", digest, "V6", "more"},
           {digest, "0", digest, "V6"},
           {"psephos/v1/refusal other/box/0", digest, "0", digest, "V6"},
           {"psephos/v1/refusal", digest, "0", digest, "V6"},
           {"psephos/v1/refusal  " + key.name(), digest, "0", digest, "V6"},
           {key.name(), digest, "0", digest, "V6"},
           {name + " ", digest, "0", digest, "V6"},
           {name, base64(Bytes(31)), "0", digest, "V6"},
           {name, base64(Bytes(33)), "0", digest, "V6"},
           {name, "", "0", digest, "V6"},
           {name, "not base64", "0", digest, "V6"},
           {name, digest, "01", digest, "V6"},
           {name, digest, "-1", digest, "V6"},
           {name, digest, "", digest, "V6"},
           {name, digest, "18446744073709551616", digest, "V6"},
           {name, digest, "0", base64(Bytes(32)), "V6"},  // an empty tree has one root
           {name, digest, "7", base64(Bytes(31)), "V6"},
           {name, digest, "7", "", "V6"}}) {
    EXPECT_FALSE(parse(lines).has_value()) << lines.size() << " " << lines[0] << " " << lines[1];
  }
  EXPECT_FALSE(parse_refusal("", key).has_value());
  EXPECT_FALSE(parse_refusal(name + "\n", key).has_value()) << "not signed";
}

TEST(BoxRefusals, AreNoCheckpoints) {
  Station station(sharded());
  for (int i = 0; i < 10; ++i) {
    station.accept({cast(sharded(), station.random)});
  }
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    const auto checkpoint = must(station.store.checkpoint(Manifest::box_log(shard)));
    EXPECT_FALSE(parse_refusal(*checkpoint, station.key(shard)).has_value());
    EXPECT_TRUE(is_ok(crypto::Checkpoint::parse(must(crypto::Note::parse(*checkpoint)).text)));
  }
  const auto entry = Bytes(100, 32);
  const std::string note = station.refusal(entry);
  EXPECT_FALSE(crypto::Checkpoint::parse(must(crypto::Note::parse(note)).text).has_value());
  // Not even with a digest that looks like a number as far as base64 can.
  EXPECT_FALSE(crypto::Checkpoint::parse("psephos/v1/refusal a\n" +
                                         base64(unbase64(std::string(42, '0') + "g=").value()) +
                                         "\n1\n" + base64(crypto::sha256({})) + "\nV6\n")
                   .has_value());
}

// --- threads -------------------------------------------------------------------------------------

class ThreadExecutor final : public Executor {
 public:
  void run(std::size_t count, const std::function<void(std::size_t)>& task) override {
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
      for (std::size_t i = next++; i < count; i = next++) {
        task(i);
      }
    };
    std::thread other(work);
    work();
    other.join();
  }
};

TEST(BoxThreads, JudgesOnSeveralThreads) {
  Polls polls(sharded());
  ThreadExecutor threads;
  std::vector<Bytes> batch;
  for (int i = 0; i < 8; ++i) {
    batch.push_back(cast(sharded(), polls.random));
    Bytes bad = batch.back();
    bad[bad.size() - 40] ^= 1;
    batch.push_back(bad);
  }
  const auto outcomes = must(polls.try_accept(batch, threads));
  for (std::size_t i = 0; i < batch.size(); ++i) {
    EXPECT_EQ(outcomes[i].has_value(), i % 2 == 0) << i;
  }
}

}  // namespace
}  // namespace psephos::protocol
