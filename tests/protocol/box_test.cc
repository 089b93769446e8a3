#include "psephos/protocol/box.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/protocol/record_log_store.h"

#include "tests/crypto/expect.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/memory_store.h"
#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using test::fails_with;
using test::is_ok;
using test::kMayor;
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
  const auto receipt = must(crypto::LogProof::parse(must(polls.box->receipt(accepted))));
  const LogReader reader =
      must(LogReader::open(polls.store, log, polls.of.manifest().log_origin(log)));
  const Bytes proven =
      must(check_receipt(reader, must(polls.of.election->log_verifier(log)), receipt));
  EXPECT_TRUE(equal(must(payload_of(proven)), entry));
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
  const auto key = must(first().election->log_verifier("box/0"));
  const LogReader reader =
      must(LogReader::open(polls.store, "box/0", first().manifest().log_origin("box/0")));
  EXPECT_TRUE(equal(must(payload_of(must(check_receipt(reader, key, receipt)))), ballot));
  check_receipt_of(polls, accepted, ballot);

  auto other = receipt;
  other.index = 1;
  EXPECT_FALSE(check_receipt(reader, key, other).has_value());
  other = receipt;
  other.extra->front() ^= 1;
  EXPECT_FALSE(check_receipt(reader, key, other).has_value());
  EXPECT_TRUE(fails_with(Errc::misuse, polls.box->receipt({.shard = 0, .index = 3})));
  EXPECT_TRUE(fails_with(Errc::misuse, polls.box->receipt({.shard = 1, .index = 0})));
}

// --- opening
// --------------------------------------------------------------------------------------

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

// --- keys
// -----------------------------------------------------------------------------------------

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

// --- failures of the store
// ------------------------------------------------------------------------

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

// --- threads
// --------------------------------------------------------------------------------------

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
