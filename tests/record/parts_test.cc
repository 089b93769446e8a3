// A verification in parts: what combining them must refuse. That it gives the report of a
// verification in one piece, verify_files asserts for every record of these tests.
#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/protocol/log_reader.h"

#include "protocol/judged_group.h"
#include "protocol/verification_part.h"
#include "tests/record/forge.h"

namespace psephos::test {
namespace {

using protocol::Check;
using protocol::Report;
using protocol::Share;
using protocol::VerificationPart;

MemoryStore::Files small_record(const std::string& first_vote) {
  Forge forge(tiny_manifest());
  for (const std::string& vote : {first_vote, std::string("2"), std::string("1")}) {
    auto voter = forge.enrol();
    forge.put(forge.cast(voter, {vote}));
  }
  forge.close();
  forge.finish({1, 2});
  return forge.publish();
}

class Parts : public testing::Test {
 protected:
  static const MemoryStore::Files& files() {
    static const MemoryStore::Files record = small_record("1");
    return record;
  }
  static std::vector<Bytes> parts_of(const MemoryStore::Files& record, std::uint32_t count) {
    const MemoryStore store(record);
    std::vector<Bytes> parts;
    for (std::uint32_t part = 1; part <= count; ++part) {
      parts.push_back(protocol::verify_part(input(store), {part, count}).file);
    }
    return parts;
  }
  static Result<Report> combine(const MemoryStore::Files& record, std::vector<Bytes> parts,
                                std::vector<std::string> receipts = {}) {
    const MemoryStore store(record);
    protocol::VerifyInput with_receipts = input(store);
    with_receipts.receipts = std::move(receipts);
    return protocol::combine_parts(with_receipts, std::move(parts));
  }
  // What combining says of these parts, which it must not accept.
  static std::string refusal(const MemoryStore::Files& record, std::vector<Bytes> parts) {
    const auto report = combine(record, std::move(parts));
    return report.has_value() ? "a report" : report.error().message;
  }
  // The only part of one that changes what a part of the honest record says.
  template <class Change>
  static std::vector<Bytes> changed(const Change& change) {
    VerificationPart part = value(VerificationPart::decode(parts_of(files(), 1).front()));
    change(part);
    return {part.encode()};
  }

 private:
  static protocol::VerifyInput input(const protocol::RecordSource& store) {
    static SystemRandom random;
    static const crypto::BatchEvaluator evaluator(random);
    static protocol::SerialExecutor serial;
    return {.record = store,
            .evaluator = evaluator,
            .executor = serial,
            .receipts = {},
            .checkpoints = {},
            .progress = {}};
  }
};

TEST_F(Parts, AreTakenInAnyOrderAndNumber) {
  for (const std::uint32_t count : {1U, 2U, 5U}) {
    std::vector<Bytes> parts = parts_of(files(), count);
    std::ranges::reverse(parts);
    const auto report = combine(files(), std::move(parts));
    ASSERT_TRUE(report.has_value()) << report.error().message;
    EXPECT_TRUE(report->accepted());
    EXPECT_EQ(report->num_counted, 3U);
  }
}

TEST_F(Parts, AreAllNeededAndEachOnce) {
  const std::vector<Bytes> parts = parts_of(files(), 3);
  EXPECT_EQ(refusal(files(), {}), "there are no parts");
  EXPECT_EQ(refusal(files(), {parts[0], parts[1]}), "part 3 of 3 is missing");
  EXPECT_EQ(refusal(files(), {parts[2]}), "part 1 of 3 is missing");
  EXPECT_EQ(refusal(files(), {parts[0], Bytes(), parts[2]}), "part file 2: is empty");
  EXPECT_EQ(refusal(files(), {parts[0], parts[1], parts[1]}), "part file 3: part 2 is here twice");
  EXPECT_EQ(refusal(files(), {parts[0], parts_of(files(), 2)[0], parts[2]}),
            "part file 2: is one of 2 parts; the first file is one of 3");
}

TEST_F(Parts, AreOfThisRecord) {
  const std::string other =
      "part file 1: was made from another record, or from another state of "
      "this one";
  EXPECT_EQ(refusal(files(), parts_of(small_record("2"), 1)), other);
  // The same election, with another root in one checkpoint.
  EXPECT_EQ(refusal(files(), changed([](VerificationPart& part) { part.trees[0].root[0] ^= 1; })),
            other);
  EXPECT_EQ(refusal(files(), changed([](VerificationPart& part) { part.trees.pop_back(); })),
            other);
  EXPECT_EQ(refusal(files(), changed([](VerificationPart& part) { part.election_id[0] ^= 1; })),
            other);
  // Made where the record did not lead to an opening.
  MemoryStore::Files without = files();
  without.erase("main/checkpoint");
  EXPECT_EQ(refusal(files(), parts_of(without, 1)), other);
  const auto report = combine(without, parts_of(without, 1));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_FALSE(report->accepted());
}

TEST_F(Parts, HoldTheirShareAndNothingElse) {
  const auto rolls_and_box = value(VerificationPart::decode(parts_of(files(), 1).front()));
  ASSERT_GE(rolls_and_box.groups.size(), 2U);
  EXPECT_EQ(refusal(files(), changed([](VerificationPart& part) { part.groups.pop_back(); })),
            "part file 1: does not begin where it should in box/0");
  EXPECT_EQ(refusal(files(), changed([](VerificationPart& part) {
                      part.groups.push_back(part.groups.back());
                    })),
            "part file 1: holds more than its share");
  EXPECT_EQ(refusal(files(), changed([](VerificationPart& part) {
                      std::swap(part.groups.front(), part.groups.back());
                    })),
            "part file 1: does not begin where it should in roll/0");
  EXPECT_EQ(
      refusal(files(), changed([](VerificationPart& part) { ++part.groups.back().bundles.to; })),
      "part file 1: does not begin where it should in box/0");
  EXPECT_EQ(refusal(files(),
                    changed([](VerificationPart& part) { part.groups.back().judged.pop_back(); }))
                .substr(0, 20),
            "part file 1: box/0: ");
}

// What a group says of its entries must hang together, and what it says is what is folded.
TEST_F(Parts, AreFoldedWithEveryCheck) {
  const MemoryStore store(files());
  const auto manifest = value(protocol::Manifest::parse(files().at("manifest.json")));
  const auto outcome = [&](const auto& change) -> std::string {
    const std::string log = "box/0";
    const auto reader = value(protocol::LogReader::open(store, log, manifest.log_origin(log)));
    auto parts = changed([&](VerificationPart& part) {
      Bytes& judged = part.groups.back().judged;
      auto group = value(
          protocol::JudgedGroup::decode(judged, protocol::LogKind::box, manifest, reader, 0, 1));
      change(group);
      judged = group.encode(manifest);
    });
    const auto report = combine(files(), std::move(parts));
    if (!report.has_value()) {
      return report.error().message;
    }
    std::string failed;
    for (const auto& check : report->checks) {
      failed += check.status == protocol::Status::failed ? id(check.check) + " " : "";
    }
    return failed;
  };
  using protocol::JudgedGroup;
  EXPECT_EQ(outcome([](JudgedGroup&) {}), "");
  EXPECT_EQ(outcome([](JudgedGroup& group) { group.entries[1].use.reset(); }),
            "part file 1: box/0: an entry is missing");
  EXPECT_EQ(outcome([](JudgedGroup& group) { group.sums.clear(); }),
            "part file 1: box/0: its sums are not of its ballots");
  EXPECT_EQ(outcome([](JudgedGroup& group) { ++group.sums[0].ballots; }),
            "part file 1: box/0: its sums are not of its ballots");
  EXPECT_EQ(outcome([](JudgedGroup& group) { group.bundles[0].previous.reset(); }),
            "part file 1: box/0: first hash: is missing");
  EXPECT_EQ(outcome([](JudgedGroup& group) { group.bundles[0].previous = Digest32{}; }), "V4 ");
  EXPECT_EQ(outcome([](JudgedGroup& group) { group.bundles[0].root[0] ^= 1; }), "V4 ");
  EXPECT_EQ(outcome([](JudgedGroup& group) {
              group.sums[0].sums[0].alpha = group.sums[0].sums[0].alpha + crypto::Point::base();
            }),
            "V12 ");
  // One credential, two ballots: the second is read again and left out, so tally and result are
  // wrong too.
  EXPECT_EQ(
      outcome([](JudgedGroup& group) { group.entries[2].use->pk = group.entries[0].use->pk; }),
      "V9 V12 V14 ");
  EXPECT_EQ(outcome([](JudgedGroup& group) {
              group.entries[0].faults.push_back({Check::ballot_proofs, {}, "bad", {}});
            }),
            "V8 ");
}

// Whatever a part says, combining neither crashes nor accepts it: each byte of what was judged is
// bound to the record or to the rest of the part, except the keys' bytes, which only matter if two
// are the same, and the sequences.
TEST_F(Parts, WithABitFlippedDoNotCrash) {
  const Bytes honest = parts_of(files(), 1).front();
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * honest.size(); bit += 11) {
    Bytes part = honest;
    part[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    const auto report = combine(files(), {part});
    refused += report.has_value() && report->accepted() ? 0U : 1U;
  }
  EXPECT_GT(refused, 8 * honest.size() / 22);  // half of them
}

// A ballot that does not count is read again; if the record has changed since, that is a fault.
TEST_F(Parts, NoticeARecordThatChanged) {
  Forge forge(small_manifest());
  auto voter = forge.enrol();
  forge.put(forge.cast(voter, {"1", "1:1"}));
  forge.put(forge.cast(voter, {"2", "1:1"}));
  auto other = forge.enrol();
  forge.put(forge.cast(other, {"1", "2:1"}));
  auto third = forge.enrol();
  forge.put(forge.cast(third, {"1", "2:1"}));
  forge.close();
  forge.finish();
  MemoryStore::Files record = forge.publish();
  const std::vector<Bytes> parts = parts_of(record, 2);
  const auto honest = combine(record, parts);
  ASSERT_TRUE(honest.has_value() && honest->accepted());
  EXPECT_EQ(honest->num_counted, 3U);
  for (auto& [file, content] : record) {
    if (file.starts_with("box/") && file.contains("tile/entries/")) {
      content.back() ^= 1;
    }
  }
  const auto report = combine(record, parts);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_FALSE(report->accepted());
  EXPECT_EQ((*report)[Check::logs].status, protocol::Status::failed);
}

// A box that took a ballot back: it signed a log with the ballot, gave a receipt, and goes on with
// a log without it. Whoever combines has a copy with the ballot in it; the parts were made from the
// record. The receipt must not pass, although every tile it needs is there.
TEST_F(Parts, DoNotLetAReceiptOfAForkPass) {
  Forge forge(tiny_manifest());
  for (const char* vote : {"1", "2", "1"}) {
    auto voter = forge.enrol();
    forge.put(forge.cast(voter, {vote}));
  }
  auto dropped = forge.enrol();
  const Bytes dropped_ballot = forge.cast(dropped, {"2"});
  forge.close();
  forge.finish({1, 2});
  const MemoryStore::Files honest = forge.publish();
  const std::vector<Bytes> entries = forge.boxes[0];

  forge.boxes[0] = {entries[0], dropped_ballot};
  const MemoryStore promised(forge.publish());
  const auto log =
      value(protocol::LogReader::open(promised, "box/0", forge.manifest->log_origin("box/0")));
  const std::string receipt = value(log.proof(1)).print();

  forge.boxes[0] = {entries[0], dropped_ballot, entries[2]};
  const MemoryStore::Files fork = forge.publish();
  MemoryStore::Files copy = honest;
  for (const char* file : {"box/0/tile/entries/000.p/3", "box/0/tile/0/000.p/3"}) {
    ASSERT_NE(copy.at(file), fork.at(file));
    copy[file] = fork.at(file);
  }
  const auto report = combine(copy, parts_of(honest, 2), {receipt});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ((*report)[Check::receipts].status, protocol::Status::failed);
  EXPECT_FALSE(report->accepted());
  // And of the honest record.
  EXPECT_EQ((*combine(honest, parts_of(honest, 2), {receipt}))[Check::receipts].status,
            protocol::Status::failed);
}

// Ballots that do not count, in a box that is not the last: the executor is not asked for more work
// while it works.
TEST_F(Parts, AskTheExecutorForOneThingAtATime) {
  class Flat final : public protocol::Executor {
   public:
    void run(std::size_t count, const std::function<void(std::size_t)>& task) override {
      if (is_running_) {
        throw std::logic_error("run within run");
      }
      is_running_ = true;
      for (std::size_t i = 0; i < count; ++i) {
        task(i);
      }
      is_running_ = false;
    }

   private:
    bool is_running_ = false;
  };
  Forge forge(small_manifest());
  // Both boxes get a voter who votes twice.
  while (std::ranges::any_of(forge.boxes, [](const auto& box) { return box.empty(); })) {
    auto voter = forge.enrol();
    forge.put(forge.cast(voter, {"1", "1:1"}));
    forge.put(forge.cast(voter, {"2", "1:1"}));
  }
  auto other = forge.enrol();
  forge.put(forge.cast(other, {"1", "2:1"}));
  forge.close();
  forge.finish();
  const MemoryStore store(forge.publish());
  Flat flat;
  const auto report = protocol::verify({.record = store,
                                        .evaluator = forge.evaluator,
                                        .executor = flat,
                                        .receipts = {},
                                        .checkpoints = {},
                                        .progress = {}});
  EXPECT_TRUE(report.accepted());
  EXPECT_LT(report.num_counted, report.num_ballots);
}

}  // namespace
}  // namespace psephos::test
