// What must be rejected, each on a real small record, by the check that docs/spec.md §10 names for
// it. "Without keys" is someone who can only change files; elsewhere a party, or all of them,
// misuse their keys.
#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/tile.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/message_signer.h"

#include "protocol/decrypt.h"
#include "tests/record/forge.h"

namespace psephos::test {
namespace {

using protocol::Check;
using protocol::Manifest;
using protocol::MessageType;
using protocol::Report;
using protocol::Status;

// rejected_by: the record is not accepted, and the named check has found a fault.
testing::AssertionResult rejected_by(const Report& report, Check check,
                                     std::string_view equation = {}) {
  if (report.accepted()) {
    return testing::AssertionFailure() << "the record was accepted";
  }
  const protocol::CheckReport& found = report[check];
  if (found.status != Status::failed || found.faults.empty()) {
    auto failure = testing::AssertionFailure() << id(check) << " found no fault, but:";
    for (const auto& other : report.checks) {
      for (const auto& fault : other.faults) {
        failure << "\n  " << id(other.check) << " " << fault.place << ": " << fault.message;
      }
    }
    return failure;
  }
  const bool has_equation =
      equation.empty() || std::ranges::any_of(found.faults, [&](const protocol::Fault& fault) {
        return fault.equation == equation;
      });
  if (!has_equation) {
    return testing::AssertionFailure() << id(check) << " names \"" << found.faults[0].equation
                                       << "\" (" << found.faults[0].message << ")";
  }
  return testing::AssertionSuccess() << found.faults[0].message;
}

// only_check: that check, and no other, failed.
testing::AssertionResult rejected_only_by(const Report& report, Check check,
                                          std::string_view equation = {}) {
  if (auto rejected = rejected_by(report, check, equation); !rejected) {
    return rejected;
  }
  for (const auto& other : report.checks) {
    if (other.check != check && other.status == Status::failed) {
      return testing::AssertionFailure()
             << id(other.check) << " failed too: " << other.faults[0].place << ": "
             << other.faults[0].message;
    }
  }
  return testing::AssertionSuccess();
}

// Elections are made once; every test works on a copy of the lists.
class Rejection : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    small_ = small_election().release();
    tiny_ = tiny_election().release();
  }
  static void TearDownTestSuite() {
    delete small_;
    delete tiny_;
  }
  void SetUp() override {
    main_ = small_->main;
    boxes_ = small_->boxes;
    rolls_ = small_->rolls;
    json_ = small_->result_json;
    csv_ = small_->result_csv;
    tiny_main_ = tiny_->main;
    tiny_boxes_ = tiny_->boxes;
  }
  void TearDown() override {
    small_->main = main_;
    small_->boxes = boxes_;
    small_->rolls = rolls_;
    small_->result_json = json_;
    small_->result_csv = csv_;
    tiny_->main = tiny_main_;
    tiny_->boxes = tiny_boxes_;
  }

  // The record with the box logs as they are now, closed over by a colluding authority.
  static Report with_boxes(Forge& forge) {
    forge.close_again();
    return verify_files(forge.publish());
  }
  // A shard with at least two entries.
  static std::vector<Bytes>& busy_box() {
    auto& boxes = small_->boxes;
    return boxes[0].size() >= 2 ? boxes[0] : boxes[1];
  }
  static std::string busy_log() { return small_->boxes[0].size() >= 2 ? "box/0" : "box/1"; }
  // The tiny election's box holds: a challenge and a ballot of the first voter, a ballot of the
  // second.
  static std::vector<Bytes>& tiny_box() { return tiny_->boxes[0]; }

  static Forge* small_;
  static Forge* tiny_;

 private:
  std::vector<protocol::Message> main_, tiny_main_;
  std::vector<std::vector<Bytes>> boxes_, rolls_, tiny_boxes_;
  std::string json_, csv_;
};
Forge* Rejection::small_ = nullptr;
Forge* Rejection::tiny_ = nullptr;

TEST_F(Rejection, HonestRecordsAreAccepted) {
  for (Forge* forge : {small_, tiny_}) {
    const Report report = verify_files(forge->publish());
    for (const auto& check : report.checks) {
      EXPECT_EQ(check.status, Status::passed) << id(check.check) << ": " << check.why_not_run;
      for (const auto& fault : check.faults) {
        ADD_FAILURE() << fault.place << ": " << fault.message;
      }
    }
    EXPECT_TRUE(report.accepted());
  }
  const Report report = verify_files(small_->publish());
  EXPECT_EQ(report.num_ballots, 6U);
  EXPECT_EQ(report.num_counted, 5U);
  EXPECT_EQ(report.num_challenges, 1U);
  EXPECT_EQ(report.num_issued, 10U);
  // Counted by hand from small_election(): A of the fifth and the fourth, B of the second, C of the
  // third and of the first's re-vote.
  EXPECT_NE(small_->result_csv.find("mayor,0,town+village,5,1,A,2\n"), std::string::npos)
      << small_->result_csv;
  EXPECT_NE(small_->result_csv.find("mayor,0,town+village,5,2,B,1\n"), std::string::npos);
  EXPECT_NE(small_->result_csv.find("mayor,0,town+village,5,3,C,2\n"), std::string::npos);
  EXPECT_NE(small_->result_csv.find("budget,0,town,3,1,Park,2\n"), std::string::npos);
  EXPECT_NE(small_->result_csv.find("budget,0,town,3,2,Pool,4\n"), std::string::npos);
}

TEST_F(Rejection, AnyTAndMoreTrusteesGiveTheSameResult) {
  for (const std::vector<std::uint32_t>& senders :
       {std::vector<std::uint32_t>{1, 2}, {3, 1}, {2, 3}, {3, 2, 1}}) {
    small_->main.resize(small_->find(MessageType::close) + 1);
    small_->result_json.clear();
    const std::string expected = small_->result_csv;
    small_->finish(senders);
    EXPECT_EQ(small_->result_csv, expected);
    EXPECT_TRUE(verify_files(small_->publish()).accepted());
  }
}

// ---- entries, without keys: the checkpoint stays what it was

TEST_F(Rejection, EntriesChangedWithoutTheLogKey) {
  const std::string log = busy_log();
  const Bytes checkpoint = small_->publish().at(log + "/checkpoint");
  const std::vector<Bytes> honest = busy_box();
  const auto attack = [&](const char* what,
                          const std::function<void(std::vector<Bytes>&)>& change) {
    busy_box() = honest;
    change(busy_box());
    auto files = small_->publish();
    files[log + "/checkpoint"] = checkpoint;
    EXPECT_TRUE(rejected_by(verify_files(files), Check::logs)) << what;
  };
  attack("dropped", [](auto& box) { box.erase(box.begin()); });
  attack("duplicated", [](auto& box) { box.push_back(box.front()); });
  attack("reordered", [](auto& box) { std::swap(box[0], box[1]); });
  attack("truncated", [](auto& box) { box.pop_back(); });
  attack("appended", [](auto& box) {
    box.push_back(box.back());
    box.back()[40] ^= 1;
  });
}

TEST_F(Rejection, EntriesChangedByTheBoxAfterTheClose) {
  const std::vector<Bytes> honest = busy_box();
  const auto attack = [&](const char* what,
                          const std::function<void(std::vector<Bytes>&)>& change) {
    busy_box() = honest;
    change(busy_box());
    EXPECT_TRUE(rejected_by(verify_files(small_->publish()), Check::order)) << what;
  };
  attack("dropped", [](auto& box) { box.erase(box.begin()); });
  attack("duplicated", [](auto& box) { box.push_back(box.front()); });
  attack("reordered", [](auto& box) { std::swap(box[0], box[1]); });
  attack("truncated", [](auto& box) { box.pop_back(); });
}

TEST_F(Rejection, EntriesChangedByBoxAndAuthorityTogether) {
  const std::vector<Bytes> honest = tiny_box();
  const auto attack = [&](const char* what, Check check,
                          const std::function<void(std::vector<Bytes>&)>& change) {
    tiny_box() = honest;
    change(tiny_box());
    EXPECT_TRUE(rejected_by(with_boxes(*tiny_), check)) << what;
  };
  // The sums are those of the ballots that were there.
  attack("a ballot dropped", Check::aggregate, [](auto& box) { box.pop_back(); });
  attack("a ballot duplicated", Check::one_ballot, [](auto& box) { box.push_back(box.back()); });
  attack("ballot before its challenge", Check::one_ballot,
         [](auto& box) { std::swap(box[0], box[1]); });
  attack("a truncated entry", Check::ballots, [](auto& box) { box.back().pop_back(); });
  attack("a byte appended to an entry", Check::ballots, [](auto& box) { box.back().push_back(0); });
  attack("an entry of an unknown type", Check::ballots, [](auto& box) { box.back()[0] = 34; });
  attack("an unknown style", Check::ballots, [](auto& box) { box.back()[4] = 1; });
}

// ---- ballots

TEST_F(Rejection, SecondBallotOnOneCredential) {
  Forge forge(tiny_manifest());
  auto wallet = forge.enrol();
  auto twin = value(protocol::Wallet::load(wallet.save(), *forge.election));
  forge.put(forge.cast(wallet, {"1"}));
  forge.close();
  forge.finish({1, 2});
  ASSERT_TRUE(verify_files(forge.publish()).accepted());
  forge.put(forge.cast(twin, {"2"}));
  EXPECT_TRUE(rejected_only_by(with_boxes(forge), Check::one_ballot));
  forge.boxes[0].pop_back();
  forge.put(forge.cast(wallet, {"2"}));
  EXPECT_TRUE(rejected_only_by(with_boxes(forge), Check::one_ballot));
}

TEST_F(Rejection, RevoteWithALowerOrEqualSequence) {
  Forge forge(small_manifest());
  auto wallet = forge.enrol(1);
  auto twin = value(protocol::Wallet::load(wallet.save(), *forge.election));
  auto other = forge.enrol(1);
  forge.put(forge.cast(wallet, {"1"}));
  forge.put(forge.cast(wallet, {"2"}));
  forge.put(forge.cast(other, {"2"}));
  forge.close();
  forge.finish();
  ASSERT_TRUE(verify_files(forge.publish()).accepted());
  const auto honest = forge.boxes;
  forge.put(forge.cast(twin, {"3"}));  // sequence 0 again
  EXPECT_TRUE(rejected_only_by(with_boxes(forge), Check::one_ballot));
  forge.boxes = honest;
  forge.put(forge.cast(twin, {"3"}));  // sequence 1 again
  EXPECT_TRUE(rejected_only_by(with_boxes(forge), Check::one_ballot));
}

TEST_F(Rejection, BallotOfAnotherElection) {
  // Another election from the very same manifest: other keys, another id.
  Forge other(tiny_manifest());
  auto wallet = other.enrol();
  tiny_box().back() = other.cast(wallet, {"1"});
  const Report report = with_boxes(*tiny_);
  EXPECT_TRUE(rejected_by(report, Check::credentials));
  EXPECT_TRUE(rejected_by(report, Check::ballot_proofs));
}

TEST_F(Rejection, BallotOfAnotherStyleOrCredential) {
  auto& box = tiny_box();
  const Bytes first = box[1];
  const Bytes second = box[2];
  // The proof and ciphertexts of one voter behind the credential of the other.
  const std::size_t head = 1 + 4 + 32 + 4 + 32 + 256;
  Bytes mixed(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(head));
  mixed.insert(mixed.end(), second.begin() + static_cast<std::ptrdiff_t>(head), second.end());
  box[1] = mixed;
  EXPECT_TRUE(rejected_by(with_boxes(*tiny_), Check::ballot_proofs));

  // Two styles of the same shape: a ballot is moved to the other one by its style number.
  std::string twin(small_manifest());
  const std::string contests = R"("contests": ["mayor", "budget"])";
  twin.replace(twin.find(contests), contests.size(), R"("contests": ["mayor"])");
  const std::string village = R"("contests": ["mayor"] }
    ])";
  twin.replace(twin.find(village), village.size(), R"("contests": ["mayor"] },
      { "id": "hamlet", "contests": ["budget"] }
    ])");
  Forge forge(twin);
  auto wallet = forge.enrol(0);
  auto other = forge.enrol(1);
  forge.put(forge.cast(wallet, {"1"}));
  forge.put(forge.cast(other, {"1"}));
  forge.close();
  forge.finish();
  ASSERT_TRUE(verify_files(forge.publish()).accepted());
  for (auto& shard : forge.boxes) {
    for (Bytes& entry : shard) {
      entry[4] = 1;
    }
  }
  const Report report = with_boxes(forge);
  EXPECT_TRUE(rejected_by(report, Check::credentials));
  EXPECT_TRUE(rejected_by(report, Check::ballot_proofs));
}

TEST_F(Rejection, CredentialNoRegistrarSigned) {
  // A credential signed by a registrar that is not the election's, in an honest ballot of the
  // election.
  Forge forge(tiny_manifest());
  auto honest = forge.enrol();
  forge.put(forge.cast(honest, {"1"}));
  forge.close();
  forge.finish({1, 2});
  auto voter = forge.enrol();
  forge.rolls[0].pop_back();
  Bytes ballot = forge.cast(voter, {"2"});
  forge.put(ballot);
  // Signed, but not issued in public: one more used than issued.
  EXPECT_TRUE(rejected_by(with_boxes(forge), Check::issuance));
  const std::size_t signature = 1 + 4 + 32 + 4 + 32;
  for (const std::size_t at : {signature - 32, signature, signature + 255}) {
    ballot[at] ^= 1;
    forge.boxes[0].back() = ballot;
    EXPECT_TRUE(rejected_by(with_boxes(forge), Check::credentials)) << at;
    ballot[at] ^= 1;
  }
}

TEST_F(Rejection, OneOfTwoRegistrarsIsNotEnough) {
  auto& box = busy_box();
  Bytes& ballot = box.back();
  const std::size_t second = 1 + 4 + 32 + 4 + (32 + 256) + 32;
  // The first registrar's signature in the second's place.
  std::copy_n(ballot.begin() + 1 + 4 + 32 + 4, 32 + 256,
              ballot.begin() + static_cast<std::ptrdiff_t>(second - 32));
  EXPECT_TRUE(rejected_by(with_boxes(*small_), Check::credentials));
}

// An entry with the proof of a cheating wallet, which obeys `other` instead of the only contest's
// rule; both must compile to forms of one shape.
Bytes cheating_ballot(Forge& forge, const crypto::ContestRule& other, std::string honest_cell,
                      const std::vector<std::uint32_t>& votes) {
  auto wallet = forge.enrol();
  const Bytes honest = forge.cast(wallet, {std::move(honest_cell)});
  auto entry =
      std::get<protocol::Ballot>(value(protocol::decode_box_entry(honest, *forge.election)));
  crypto::BallotContext context = forge.election->ballot_context(0);
  context.form = value(crypto::BallotForm::compile(std::span(&other, 1)));
  // The wallet's key, as its owner can read it from its file: sk stands after election id and
  // style.
  const SecretBuffer saved = wallet.save();
  const auto sk = value(crypto::SecretScalar::decode(saved.expose_secret().subspan(36, 32)));
  EXPECT_EQ(crypto::multiply_base(sk), entry.encrypted.credential);
  const auto opening = value(crypto::encrypt(context, entry.encrypted.credential, 0,
                                             crypto::SecretVotes(votes), forge.random));
  entry.encrypted = opening.ballot;
  entry.proof = value(crypto::prove(context, opening, sk, forge.random));
  return protocol::encode(entry);
}

TEST_F(Rejection, OverVoteAndUnderVote) {
  for (const std::vector<std::uint32_t>& votes :
       {std::vector<std::uint32_t>{1, 1}, std::vector<std::uint32_t>{0, 0}}) {
    const crypto::ContestRule anything{.options = 2, .range = 1, .min = 0, .max = 2};
    tiny_box() = {tiny_box()[0], tiny_box()[1], cheating_ballot(*tiny_, anything, "1", votes)};
    EXPECT_TRUE(rejected_by(with_boxes(*tiny_), Check::ballot_proofs, "constraint"));
  }
}

TEST_F(Rejection, OverTotal) {
  // Scores 0..3 for two options, at most 4 in all; a wallet that takes 2..6 for the rule gives 6.
  std::string manifest(tiny_manifest());
  const std::string choice = R"("type":"choose","options":["Y","N"],"min":1,"max":1)";
  const std::size_t at = manifest.find(choice);
  ASSERT_NE(at, std::string::npos);
  manifest.replace(at, choice.size(),
                   R"("type":"score","options":["Y","N"],"range":3,"min":0,"max":4)");
  Forge forge(manifest);
  for (const char* cell : {"1:3|2:1", ""}) {
    auto wallet = forge.enrol();
    forge.put(forge.cast(wallet, {cell}));
  }
  forge.close();
  forge.finish({1, 2});
  ASSERT_TRUE(verify_files(forge.publish()).accepted());
  const crypto::ContestRule another{.options = 2, .range = 3, .min = 2, .max = 6};
  forge.put(cheating_ballot(forge, another, "1:1", {3, 3}));
  EXPECT_TRUE(rejected_by(with_boxes(forge), Check::ballot_proofs, "constraint"));
}

TEST_F(Rejection, ValuesTwoAndMinusOne) {
  const Bytes honest = tiny_box().back();
  const std::size_t beta = 1 + 4 + 32 + 4 + 32 + 256 + 32;
  const auto original =
      value(crypto::Point::decode(ByteView(honest).subspan(beta, 32), crypto::Identity::accepted));
  for (const crypto::Point& shifted :
       {original + crypto::Point::base(), original - crypto::Point::base()}) {
    tiny_box().back() = honest;
    std::ranges::copy(shifted.bytes(),
                      tiny_box().back().begin() + static_cast<std::ptrdiff_t>(beta));
    EXPECT_TRUE(rejected_by(with_boxes(*tiny_), Check::ballot_proofs, "equation 4"));
  }
}

TEST_F(Rejection, BallotInTheWrongShard) {
  auto& boxes = small_->boxes;
  const std::size_t from = boxes[0].empty() ? 1 : 0;
  boxes[1 - from].push_back(boxes[from].back());
  boxes[from].pop_back();
  EXPECT_TRUE(rejected_by(with_boxes(*small_), Check::one_ballot));
}

// ---- challenges

TEST_F(Rejection, ChallengeThatDoesNotOpen) {
  const Bytes honest = tiny_box()[0];
  // … values (2 × 4) randomness (2 × 32) signature (64)
  const std::size_t values = honest.size() - 64 - 64 - 8;
  for (const std::size_t at : {values + 3, values + 8, values + 8 + 64 + 40}) {
    tiny_box()[0] = honest;
    tiny_box()[0][at] ^= 1;
    EXPECT_TRUE(rejected_by(with_boxes(*tiny_), Check::challenges)) << at;
  }
}

TEST_F(Rejection, MoreChallengesThanAllowed) {
  Forge forge(tiny_manifest());
  auto wallet = forge.enrol();
  forge.put(forge.challenge(wallet, {"1"}));
  forge.put(forge.cast(wallet, {"1"}));
  forge.close();
  forge.finish({1, 2});
  ASSERT_TRUE(verify_files(forge.publish()).accepted());
  auto second = forge.enrol();
  forge.put(forge.challenge(second, {"1"}));
  forge.put(forge.challenge(second, {"2"}));
  EXPECT_TRUE(rejected_by(with_boxes(forge), Check::challenges));
}

TEST_F(Rejection, ChallengedCiphertextsThatAreCast) {
  Forge forge(tiny_manifest());
  auto wallet = forge.enrol();
  value(wallet.prepare(
      *forge.election,
      value(protocol::parse_votes(*forge.manifest, 0, std::vector<std::string>{"1"})),
      forge.random));
  auto twin = value(protocol::Wallet::load(wallet.save(), *forge.election));
  auto other = forge.enrol();
  forge.put(value(wallet.challenge(*forge.election, forge.random)));
  forge.put(forge.cast(other, {"1"}));
  forge.close();
  forge.finish({1, 2});
  ASSERT_TRUE(verify_files(forge.publish()).accepted());
  // The same ciphertexts cast with the same sequence: refused for the sequence. With a larger one
  // the wallet must prove anew; its saved state is edited to say so.
  forge.put(value(twin.cast(*forge.election, forge.random)));
  EXPECT_TRUE(rejected_by(with_boxes(forge), Check::one_ballot));
}

// ---- issuance

TEST_F(Rejection, IssuanceTwiceToOneVoter) {
  small_->rolls[0].push_back(small_->rolls[0].front());
  EXPECT_TRUE(rejected_by(with_boxes(*small_), Check::issuance));
}

TEST_F(Rejection, MoreUsedThanIssued) {
  small_->rolls[1].pop_back();
  EXPECT_TRUE(rejected_only_by(with_boxes(*small_), Check::issuance));
}

// A roll message as registrar r would sign it; it serves the election in which the forge keeps it.
protocol::Message roll_of(const Forge& forge, std::uint32_t r, std::uint32_t number,
                          const std::vector<std::uint32_t>& styles) {
  std::vector<protocol::Registrar::RollRow> rows;
  for (const std::uint32_t style : styles) {
    rows.push_back({"voter " + std::to_string(rows.size()), style});
  }
  return value(forge.registrars[r].roll_import(*forge.election, number, rows));
}

TEST_F(Rejection, MoreIssuedThanAnnounced) {
  // Issued by each registrar: three of style 0 and two of style 1.
  const auto honest = small_->main;
  const auto close = static_cast<std::ptrdiff_t>(small_->find(MessageType::close));
  const auto with_rolls = [&](const std::vector<protocol::Message>& rolls) {
    small_->main = honest;
    small_->main.insert(small_->main.begin() + close, rolls.begin(), rolls.end());
    return verify_files(small_->publish());
  };
  const auto roll = [&](std::uint32_t r, std::uint32_t number,
                        const std::vector<std::uint32_t>& styles) {
    return roll_of(*small_, r, number, styles);
  };
  EXPECT_TRUE(with_rolls({roll(0, 0, {0, 0, 0, 1, 1})}).accepted()) << "the other has none";
  EXPECT_TRUE(
      with_rolls({roll(0, 0, {0, 0, 0, 1, 1}), roll(1, 0, {1, 0, 1, 0, 1, 0, 0})}).accepted());
  EXPECT_TRUE(with_rolls({roll(1, 0, {}), roll(1, 1, {0, 1, 0}), roll(1, 2, {1, 0})}).accepted())
      << "in several lists";
  for (const auto& few : std::vector<std::vector<protocol::Message>>{
           {roll(0, 0, {})},
           {roll(0, 0, {0, 0, 0, 1})},
           {roll(0, 0, {0, 0, 1, 1, 1, 1, 1})},
           {roll(0, 0, {0, 0, 0, 1, 1}), roll(1, 0, {0, 0, 0, 1})},
           {roll(1, 0, {0, 0, 0}), roll(1, 1, {1})}}) {
    EXPECT_TRUE(rejected_only_by(with_rolls(few), Check::issuance));
  }
  const Report report = with_rolls({roll(1, 0, {0, 0, 1, 1})});
  ASSERT_EQ(report[Check::issuance].faults.size(), 1U);
  EXPECT_EQ(report[Check::issuance].faults[0].place, "roll/1");
  EXPECT_EQ(report[Check::issuance].faults[0].message,
            "style \"town\": 3 credentials issued, only 2 voters on the roll announced");
  // Before the opening of the polls as well.
  small_->main = honest;
  small_->main.insert(
      small_->main.begin() + static_cast<std::ptrdiff_t>(small_->find(MessageType::open)),
      roll(0, 0, {0, 0, 0, 1, 1}));
  EXPECT_TRUE(verify_files(small_->publish()).accepted());
}

TEST_F(Rejection, RollsOutOfTheirOrder) {
  const auto honest = small_->main;
  const protocol::Message roll = roll_of(*small_, 0, 0, {0, 0, 0, 1, 1});
  const auto with_roll = [&](const protocol::Message& message, std::size_t at) {
    small_->main = honest;
    small_->main.insert(small_->main.begin() + static_cast<std::ptrdiff_t>(at), message);
    return verify_files(small_->publish());
  };
  const std::size_t opening = small_->find(MessageType::opening);
  const std::size_t close = small_->find(MessageType::close);
  for (std::size_t at = opening - 1; at <= honest.size(); ++at) {
    const Report report = with_roll(roll, at);
    if (at > opening && at <= close) {
      EXPECT_TRUE(report.accepted()) << at;
    } else if (at > close) {
      EXPECT_TRUE(rejected_only_by(report, Check::order)) << at;
    } else {
      EXPECT_FALSE(report.accepted()) << at;
    }
  }
  // Numbers that do not count on; the second of two. What was announced by such a message is not.
  EXPECT_TRUE(
      rejected_only_by(with_roll(roll_of(*small_, 0, 1, {0, 0, 0, 1, 1}), close), Check::order));
  small_->main = honest;
  small_->main.insert(small_->main.begin() + static_cast<std::ptrdiff_t>(close), 2, roll);
  EXPECT_TRUE(rejected_only_by(verify_files(small_->publish()), Check::order));
  // In another's name, and changed by whoever keeps the log.
  protocol::Message other = roll;
  other.sender = 1;
  EXPECT_TRUE(rejected_only_by(with_roll(other, close), Check::order, "signature"));
  other = roll;
  other.payload.back() ^= 1;
  EXPECT_TRUE(rejected_only_by(with_roll(other, close), Check::order, "signature"));
  other = small_->sign_again(roll, roll.payload);  // by the authority
  EXPECT_TRUE(rejected_only_by(with_roll(other, close), Check::order, "signature"));
  other = roll;
  other.context = small_->manifest->digest;
  EXPECT_TRUE(rejected_by(with_roll(other, close), Check::record));
}

// ---- ceremony, opening

TEST_F(Rejection, EveryMainMessageDroppedDuplicatedOrSwapped) {
  const auto honest = small_->main;
  for (std::size_t i = 0; i < honest.size(); ++i) {
    small_->main = honest;
    small_->main.erase(small_->main.begin() + static_cast<std::ptrdiff_t>(i));
    // A decryption beyond the threshold may be missing: such a record is a complete one.
    const bool spare = honest[i].type == MessageType::decryption;
    EXPECT_EQ(verify_files(small_->publish()).accepted(), spare) << "dropped " << i;
    small_->main = honest;
    small_->main.insert(small_->main.begin() + static_cast<std::ptrdiff_t>(i), honest[i]);
    EXPECT_FALSE(verify_files(small_->publish()).accepted()) << "duplicated " << i;
    if (i + 1 < honest.size() && honest[i].type != honest[i + 1].type &&
        honest[i].type != MessageType::credential_key &&
        honest[i + 1].type != MessageType::credential_key) {
      small_->main = honest;
      std::swap(small_->main[i], small_->main[i + 1]);
      EXPECT_FALSE(verify_files(small_->publish()).accepted()) << "swapped " << i;
    }
  }
}

TEST_F(Rejection, EveryMainMessageSignedByAnother) {
  const auto honest = small_->main;
  for (std::size_t i = 0; i < honest.size(); ++i) {
    small_->main = honest;
    const auto stranger = crypto::Ed25519SecretKey::random(small_->random);
    small_->main[i] = protocol::sign_message(honest[i].type, honest[i].context, honest[i].sender,
                                             honest[i].payload, stranger);
    EXPECT_FALSE(verify_files(small_->publish()).accepted()) << i;
  }
}

TEST_F(Rejection, AnythingAfterTheLastResult) {
  small_->main.push_back(small_->main[small_->find(MessageType::open)]);
  EXPECT_TRUE(rejected_only_by(verify_files(small_->publish()), Check::order));
}

TEST_F(Rejection, ManifestChangedAfterTheOpening) {
  auto files = small_->publish();
  std::string text(as_text(files.at("manifest.json")));
  text.replace(text.find("\"Mayor\""), 7, "\"Major\"");
  files["manifest.json"] = Bytes(as_bytes(text).begin(), as_bytes(text).end());
  EXPECT_FALSE(verify_files(files).accepted());
  EXPECT_TRUE(rejected_by(verify_files(files), Check::record));
}

// ---- tally, decryption, result

TEST_F(Rejection, TallyOfOtherSums) {
  const std::size_t at = tiny_->find(MessageType::tally);
  const auto honest = tiny_->main[at];
  auto tally = value(protocol::Tally::decode(honest.payload, *tiny_->manifest));
  ++tally.counted;
  tiny_->main[at] = tiny_->sign_again(honest, tally.encode());
  EXPECT_TRUE(rejected_by(verify_files(tiny_->publish()), Check::aggregate));
  --tally.counted;
  tally.sums[0].beta = tally.sums[0].beta + crypto::Point::base();
  tiny_->main[at] = tiny_->sign_again(honest, tally.encode());
  EXPECT_TRUE(rejected_by(verify_files(tiny_->publish()), Check::aggregate, "sum"));
}

TEST_F(Rejection, WrongDecryptionShare) {
  const std::size_t at = tiny_->find(MessageType::decryption);
  const auto honest = tiny_->main[at];
  for (const std::size_t byte : {std::size_t{3}, honest.payload.size() - 1}) {
    Bytes payload = honest.payload;
    payload[byte] ^= 1;
    tiny_->main[at] = tiny_->sign_again(honest, payload);
    EXPECT_TRUE(rejected_by(verify_files(tiny_->publish()), Check::decryption)) << byte;
  }
  // A share that is a point, but not the right one.
  Bytes payload = honest.payload;
  std::ranges::copy(crypto::Point::base().bytes(), payload.begin() + 4);
  tiny_->main[at] = tiny_->sign_again(honest, payload);
  EXPECT_TRUE(rejected_by(verify_files(tiny_->publish()), Check::decryption));
}

TEST_F(Rejection, FewerThanTShares) {
  tiny_->main.erase(tiny_->main.begin() +
                    static_cast<std::ptrdiff_t>(tiny_->find(MessageType::decryption)));
  EXPECT_TRUE(rejected_by(verify_files(tiny_->publish()), Check::decryption));
}

TEST_F(Rejection, OneTrusteesShareTwice) {
  const std::size_t first = tiny_->find(MessageType::decryption, 0);
  tiny_->main[tiny_->find(MessageType::decryption, 1)] = tiny_->main[first];
  EXPECT_TRUE(rejected_by(verify_files(tiny_->publish()), Check::decryption));
}

TEST_F(Rejection, AlteredResult) {
  const std::size_t at = tiny_->find(MessageType::result);
  const auto honest = tiny_->main[at];
  Bytes payload = honest.payload;
  payload.back() ^= 1;
  tiny_->main[at] = tiny_->sign_again(honest, payload);
  EXPECT_TRUE(rejected_by(verify_files(tiny_->publish()), Check::result));
}

TEST_F(Rejection, AlteredResultFiles) {
  for (const char* file : {"result.json", "result.csv"}) {
    auto files = small_->publish();
    files[file].push_back('\n');
    EXPECT_TRUE(rejected_only_by(verify_files(files), Check::result)) << file;
    files[file].clear();
    EXPECT_TRUE(rejected_only_by(verify_files(files), Check::result)) << file;
  }
}

// ---- files, checkpoints, receipts

TEST_F(Rejection, EveryFileMissingEmptyOrTruncated) {
  const auto honest = small_->publish();
  for (const auto& [path, content] : honest) {
    auto files = honest;
    files.erase(path);
    EXPECT_FALSE(verify_files(files).accepted()) << path << " missing";
    files[path] = {};
    EXPECT_FALSE(verify_files(files).accepted()) << path << " empty";
    files[path] = content;
    files[path].pop_back();
    EXPECT_FALSE(verify_files(files).accepted()) << path << " truncated";
    files[path] = content;
    files[path].push_back(0);
    EXPECT_FALSE(verify_files(files).accepted()) << path << " longer";
  }
}

TEST_F(Rejection, UnknownFile) {
  for (const char* path : {"notes.txt", "box/2/checkpoint", "main/tile/0/001", "box/0/tile/9/000",
                           "main/tile/entries/000.p/1", "manifest.json~"}) {
    auto files = small_->publish();
    files[path] = Bytes(32);
    EXPECT_TRUE(rejected_only_by(verify_files(files), Check::record)) << path;
  }
}

TEST_F(Rejection, CheckpointThatClaimsMoreThanThereCanBe) {
  auto files = small_->publish();
  for (const char* path : {"box/0/checkpoint", "roll/0/checkpoint"}) {
    Bytes& file = files.at(path);
    std::string text(as_text(file));
    const std::size_t size = text.find('\n') + 1;
    text.replace(size, text.find('\n', size) - size, "1000000000000000");
    file.assign(text.begin(), text.end());
  }
  const Report report = verify_files(files);
  EXPECT_TRUE(rejected_by(report, Check::logs));
  EXPECT_TRUE(rejected_by(report, Check::record));
}

TEST_F(Rejection, MissingCheckpointIsNamed) {
  auto files = small_->publish();
  files.erase("roll/0/checkpoint");
  const Report report = verify_files(files);
  EXPECT_TRUE(rejected_by(report, Check::record));
  ASSERT_EQ(report[Check::record].faults.size(), 1U);
  EXPECT_EQ(report[Check::record].faults[0].place, "roll/0/checkpoint");
}

// A record that answers differently the second time a bundle is read: a superseded ballot is read
// twice, and only the first time with its log.
class FickleSource final : public protocol::RecordSource {
 public:
  FickleSource(MemoryStore::Files first, MemoryStore::Files second)
      : first_(std::move(first)), second_(std::move(second)) {}
  [[nodiscard]] Result<Bytes> read(const std::string& path, std::size_t max) const override {
    const bool again = path.contains("/tile/entries/") && !seen_.insert(path).second;
    return (again ? second_ : first_).read(path, max);
  }
  [[nodiscard]] Result<std::vector<std::string>> list() const override { return first_.list(); }
  [[nodiscard]] bool exists(const std::string& path) const override { return first_.exists(path); }

 private:
  MemoryStore first_;
  MemoryStore second_;
  mutable std::set<std::string> seen_;
};

TEST_F(Rejection, RecordThatChangesWhileItIsRead) {
  // The re-vote of small_election makes its first ballot be read again.
  const auto honest = small_->publish();
  auto other = honest;
  for (auto& [path, content] : other) {
    if (path.starts_with("box/") && path.contains("/tile/entries/")) {
      content[content.size() / 2] ^= 1;
    }
  }
  protocol::SerialExecutor serial;
  const auto verified = [&](const MemoryStore::Files& second) {
    const FickleSource source(honest, second);
    return protocol::verify({.record = source,
                             .evaluator = small_->evaluator,
                             .executor = serial,
                             .receipts = {},
                             .checkpoints = {},
                             .progress = {}});
  };
  EXPECT_TRUE(verified(honest).accepted());
  EXPECT_TRUE(rejected_by(verified(other), Check::logs));
}

TEST_F(Rejection, CheckpointOfAnotherLog) {
  auto files = small_->publish();
  std::swap(files["box/0/checkpoint"], files["box/1/checkpoint"]);
  EXPECT_TRUE(rejected_by(verify_files(files), Check::logs));

  // Another election's log of the same name.
  files = tiny_->publish();
  Forge other(tiny_manifest());
  files["box/0/checkpoint"] = other.publish().at("box/0/checkpoint");
  EXPECT_TRUE(rejected_by(verify_files(files), Check::logs));
}

TEST_F(Rejection, EarlierCheckpointTheLogDoesNotContinue) {
  Forge forge(tiny_manifest());
  auto first = forge.enrol();
  auto second = forge.enrol();
  const Bytes ballot = forge.cast(first, {"1"});
  forge.put(ballot);
  const auto early = forge.publish().at("box/0/checkpoint");
  const std::string kept(as_text(early));
  forge.put(forge.cast(second, {"2"}));
  forge.close();
  forge.finish({1, 2});
  EXPECT_TRUE(verify_files(forge.publish(), {}, {kept}).accepted());
  // The box shows another history later.
  std::swap(forge.boxes[0][0], forge.boxes[0][1]);
  forge.close_again();
  EXPECT_TRUE(verify_files(forge.publish()).accepted());
  EXPECT_TRUE(rejected_only_by(verify_files(forge.publish(), {}, {kept}), Check::logs));
  EXPECT_TRUE(rejected_only_by(verify_files(forge.publish(), {}, {"no checkpoint"}), Check::logs));
}

TEST_F(Rejection, ReceiptsThatTheRecordDoesNotKeep) {
  Forge forge(tiny_manifest());
  auto first = forge.enrol();
  auto second = forge.enrol();
  forge.put(forge.cast(first, {"1"}));
  const MemoryStore early(forge.publish());
  const auto reader =
      value(protocol::LogReader::open(early, "box/0", forge.manifest->log_origin("box/0")));
  const std::string receipt = value(reader.proof(0)).print();
  forge.put(forge.cast(second, {"2"}));
  forge.close();
  forge.finish({1, 2});
  EXPECT_TRUE(verify_files(forge.publish(), {receipt}).accepted());
  std::swap(forge.boxes[0][0], forge.boxes[0][1]);
  forge.close_again();
  EXPECT_TRUE(rejected_only_by(verify_files(forge.publish(), {receipt}), Check::receipts));
  EXPECT_TRUE(rejected_only_by(verify_files(forge.publish(), {"nonsense"}), Check::receipts));
}

// Made from what is public, without any key: it accuses nobody, and the report says so.
TEST_F(Rejection, ReceiptsThatProveNothing) {
  Forge forge(tiny_manifest());
  auto voter = forge.enrol();
  forge.put(forge.cast(voter, {"1"}));
  forge.close();
  forge.finish({1, 2});
  const MemoryStore record(forge.publish());
  const auto log =
      value(protocol::LogReader::open(record, "box/0", forge.manifest->log_origin("box/0")));
  auto forged = value(log.proof(0));
  forged.extra->back() ^= 1;
  const auto report = verify_files(forge.publish(), {forged.print()});
  EXPECT_TRUE(rejected_only_by(report, Check::receipts));
  EXPECT_NE(report[Check::receipts].faults[0].message.find("does not prove"), std::string::npos);
}

TEST_F(Rejection, RecordsThatAreNotFinished) {
  const auto honest = small_->main;
  for (const MessageType last :
       {MessageType::roster, MessageType::commit, MessageType::shares, MessageType::opening,
        MessageType::open, MessageType::close, MessageType::tally, MessageType::decryption}) {
    small_->main = honest;
    small_->main.resize(small_->find(last) + 1);
    const Report report = verify_files(small_->publish());
    EXPECT_FALSE(report.accepted()) << name(last);
  }
  EXPECT_FALSE(verify_files({}).accepted());
}

}  // namespace
}  // namespace psephos::test
