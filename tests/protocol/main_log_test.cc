#include "psephos/protocol/main_log.h"

#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/protocol/message_signer.h"

#include "tests/protocol/fixtures.h"

namespace psephos::protocol {
namespace {

using crypto::Point;
using crypto::Scalar;
using test::must;
using test::Play;
using Phase = MainLog::Phase;

std::uint32_t some_sender(MessageType type) {
  const bool is_trustee = (type >= MessageType::commit && type <= MessageType::complaint) ||
                          type == MessageType::decryption;
  return is_trustee ? 1 : 0;
}

// The message signed as it should be; before the opening the context of the later types is nothing.
Message some_message(const Play& play, MessageType type, Bytes payload) {
  if (type <= MessageType::opening || play.log.election() != nullptr) {
    return play.signed_by_sender(type, some_sender(type), std::move(payload));
  }
  return sign_message(type, Digest32{}, some_sender(type), std::move(payload),
                      play.secrets[0].identity);
}

// goes to any phase.
void go_to(Play& play, Phase phase) {
  if (phase == Phase::failed) {
    play.to(Ceremony::Round::confirm);
    Complaint complaint;  // its proof is bad, which convicts its sender
    complaint.accused = 1;
    complaint.proof.commitments.resize(2);
    play.say(play.signed_by_sender(MessageType::complaint, 2, complaint.encode()));
  } else if (phase == Phase::decrypting) {
    play.to(Phase::tallied);
    play.say(must(play.decryption(1, 0)));
  } else if (phase == Phase::resulting) {
    play.to(Phase::decrypting);
    play.say(must(play.authority.results(play.log))[0]);
  } else {
    play.to(phase);
  }
  ASSERT_EQ(play.log.phase(), phase);
}

TEST(MainLog, GoesThroughItsPhases) {
  for (const Phase phase :
       {Phase::empty, Phase::ceremony, Phase::ready, Phase::failed, Phase::opened, Phase::voting,
        Phase::closed, Phase::tallied, Phase::decrypting, Phase::resulting, Phase::complete}) {
    Play play;
    go_to(play, phase);
    const bool after_roster = phase != Phase::empty;
    const bool after_opening = phase >= Phase::opened;
    EXPECT_EQ(play.log.roster().has_value(), after_roster);
    EXPECT_EQ(play.log.ceremony().has_value(), after_roster);
    EXPECT_EQ(play.log.election() != nullptr, after_opening);
    EXPECT_EQ(play.log.close().has_value(), phase >= Phase::closed);
    EXPECT_EQ(play.log.tallies().size(), phase >= Phase::tallied ? 2U : 0U);
    EXPECT_EQ(play.log.has_credential_key(1, 1), after_opening);
  }
}

// Every type in every phase: where it may not stand, the fault is one of order.
TEST(MainLog, TakesEachTypeInItsPhaseOnly) {
  using enum MessageType;
  const std::map<Phase, std::set<MessageType>> allowed = {
      {Phase::empty, {roster}},
      {Phase::ceremony, {commit, credential_key}},
      {Phase::ready, {credential_key, MessageType::opening}},
      {Phase::failed, {}},
      {Phase::opened, {open, roll}},
      {Phase::voting, {close, roll}},
      {Phase::closed, {tally}},
      {Phase::tallied, {tally, decryption, result}},
      {Phase::decrypting, {decryption, result}},
      {Phase::resulting, {result}},
      {Phase::complete, {}},
  };
  for (const auto& [phase, types] : allowed) {
    Play play;
    go_to(play, phase);
    for (std::uint8_t number = 1; number <= 14; ++number) {
      const MessageType type{number};
      // No payload of one byte is right, not even that of "open".
      const Fault fault = play.fault_of(some_message(play, type, Bytes(1)));
      EXPECT_EQ(fault.message.contains("out of order") || fault.message.contains("the ceremony "),
                !types.contains(type))
          << name(type) << " in phase " << static_cast<int>(phase) << ": " << fault.message;
      if (!types.contains(type)) {
        EXPECT_EQ(fault.check, Check::order);
      }
    }
    const Fault unknown = play.fault_of(some_message(play, MessageType{77}, {}));
    EXPECT_TRUE(unknown.check == Check::order || unknown.check == Check::record);
  }
}

TEST(MainLog, WantsTheRightContext) {
  Play play;
  play.to(Phase::complete);
  for (std::size_t k = 0; k < play.said.size(); ++k) {
    MainLog log(play.manifest, play.evaluator);
    for (std::size_t i = 0; i < k; ++i) {
      ASSERT_TRUE(log.append(play.said[i]).has_value());
    }
    const Message& good = play.said[k];
    Message changed = play.signed_by_sender(good.type, good.sender, good.payload);
    ASSERT_EQ(changed, good);
    changed.context[5] ^= 1;
    const auto taken = log.append(changed);
    ASSERT_FALSE(taken.has_value());
    EXPECT_EQ(taken.error().check, is_of_ceremony(good.type) ? Check::trustees : Check::record);
  }
  // A message of the election under the manifest's digest.
  Play voting;
  voting.to(Phase::opened);
  EXPECT_EQ(voting
                .fault_of(sign_message(MessageType::open, voting.manifest->digest, 0, {},
                                       voting.secrets[0].identity))
                .message,
            "open: the context is not the election id");
}

TEST(MainLog, WantsTheAuthoritysSignatureAndSenderZero) {
  Play play;
  play.to(Phase::complete);
  for (std::size_t k = 0; k < play.said.size(); ++k) {
    const Message& good = play.said[k];
    if (good.type == MessageType::credential_key || some_sender(good.type) != 0) {
      continue;
    }
    MainLog log(play.manifest, play.evaluator);
    for (std::size_t i = 0; i < k; ++i) {
      ASSERT_TRUE(log.append(play.said[i]).has_value());
    }
    const auto not_zero = log.append(play.signed_by_sender(good.type, 1, good.payload));
    ASSERT_FALSE(not_zero.has_value());
    EXPECT_EQ(not_zero.error().check, Check::order);
    EXPECT_EQ(not_zero.error().message,
              std::string(name(good.type)) + ": the sender is 1, must be 0");
    const auto forged = log.append(
        sign_message(good.type, good.context, 0, good.payload, play.secrets[0].identity));
    ASSERT_FALSE(forged.has_value());
    EXPECT_EQ(forged.error().check, Check::order);
    EXPECT_EQ(forged.error().equation, "signature");
    EXPECT_TRUE(log.append(good).has_value());
  }
}

TEST(MainLog, RefusesARosterThatIsNone) {
  Play play;
  const Fault fault = play.fault_of(play.signed_by_sender(MessageType::roster, 0, Bytes(100)));
  EXPECT_EQ(fault.check, Check::trustees);
  EXPECT_TRUE(fault.message.starts_with("roster: "));
}

TEST(CredentialKeys, AreOneForEachRegistrarAndStyle) {
  Play play;
  play.to(Ceremony::Round::reveal);  // they may stand anywhere between roster and opening
  const auto keys = play.credential_keys();
  play.say(keys[1]);
  EXPECT_TRUE(play.log.has_credential_key(0, 1));
  EXPECT_FALSE(play.log.has_credential_key(0, 0));
  EXPECT_FALSE(play.log.has_credential_key(2, 0));
  EXPECT_FALSE(play.log.has_credential_key(0, 2));
  EXPECT_EQ(play.log.credential_keys()[0].size(), 1U);

  const auto fault = [&](std::uint32_t registrar, const Bytes& payload) {
    const Fault found =
        play.fault_of(sign_message(MessageType::credential_key, play.manifest->digest, registrar,
                                   payload, play.registrar_logs[0]));
    EXPECT_EQ(found.check, Check::registrars);
    return found.message;
  };
  const Bytes payload = keys[0].payload;
  EXPECT_EQ(fault(0, keys[1].payload),
            "credential key of registrar 0 for style 1: is there already");
  EXPECT_EQ(fault(2, payload), "credential key: there is no registrar 2");
  Bytes changed = payload;
  changed[3] = 2;
  EXPECT_EQ(fault(0, changed), "credential key of registrar 0: there is no style 2");
  // One modulus for two styles, and for two registrars.
  changed = keys[1].payload;
  changed[3] = 0;
  EXPECT_EQ(fault(0, changed),
            "credential key of registrar 0 for style 0: another credential key has the same "
            "modulus");
  EXPECT_EQ(fault(1, keys[1].payload),
            "credential key of registrar 1 for style 1: another credential key has the same "
            "modulus");
  changed = payload;
  changed.back() ^= 1;  // even
  EXPECT_TRUE(fault(0, changed).starts_with("credential key of registrar 0: "));
  changed = payload;
  changed[4] = 0x7f;  // 2047 bits
  EXPECT_TRUE(fault(0, changed).starts_with("credential key of registrar 0: "));
  changed = payload;
  changed.pop_back();
  EXPECT_TRUE(fault(0, changed).starts_with("credential key of registrar 0: "));
  changed = payload;
  changed.push_back(1);
  EXPECT_TRUE(fault(0, changed).starts_with("credential key of registrar 0: "));
  // After all that, what is right is taken.
  play.say(keys[0]);
  play.to(Ceremony::Round::complete);
  play.say(keys[3]);
  play.say(keys[2]);
  play.say(play.opening());
}

TEST(CredentialKeys, MustBeSignedByTheLogKeyOfTheOpening) {
  Play play;
  play.to(Phase::ready);
  auto keys = play.credential_keys();
  keys[2] = sign_message(MessageType::credential_key, play.manifest->digest, 1, keys[2].payload,
                         play.registrar_logs[0]);
  for (const Message& key : keys) {
    play.say(key);  // whose key it is, is known with the opening
  }
  const Fault fault = play.fault_of(play.opening());
  EXPECT_EQ(fault.check, Check::registrars);
  EXPECT_EQ(fault.equation, "signature");
  EXPECT_TRUE(fault.message.starts_with("credential key of registrar 1 for style 0: "));
}

// An opening changed after the authority has made it.
template <class Change>
Fault fault_of_opening(const Change& change) {
  Play play;
  play.to(Phase::ready);
  for (const Message& key : play.credential_keys()) {
    play.say(key);
  }
  Opening opening = must(Opening::decode(play.opening().payload, *play.manifest));
  change(opening);
  return play.fault_of(play.signed_by_sender(MessageType::opening, 0, opening.encode()));
}

TEST(OpeningMessage, RepeatsTheRosterAndTheReveals) {
  const auto expect = [](Check check, const std::string& message, const auto& change) {
    const Fault fault = fault_of_opening(change);
    EXPECT_EQ(fault.check, check);
    EXPECT_TRUE(fault.message.starts_with(message)) << fault.message;
  };
  expect(Check::record, "opening: joint key",
         [](Opening& opening) { opening.joint_key = Point(); });
  expect(Check::record, "opening: box/1: log key is another log's key too",
         [](Opening& opening) { opening.box_logs[1] = opening.box_logs[0]; });
  const std::string other_roster = "opening: its keys are not the roster's";
  expect(Check::trustees, other_roster,
         [](Opening& opening) { opening.roster.authority = opening.box_logs[0]; });
  expect(Check::trustees, other_roster,
         [](Opening& opening) { opening.roster.main_log = opening.roster.authority; });
  expect(Check::trustees, other_roster, [](Opening& opening) {
    std::swap(opening.roster.trustees[0], opening.roster.trustees[1]);
  });
  expect(Check::trustees, "opening: its commitments are not those revealed",
         [](Opening& opening) { opening.commitments[2][1] = Point::base(); });
  expect(Check::trustees, "opening: its commitments are not those revealed",
         [](Opening& opening) { std::swap(opening.commitments[0], opening.commitments[1]); });
  expect(Check::trustees, "opening: the joint key is not the sum of the commitments",
         [](Opening& opening) { opening.joint_key = opening.joint_key + Point::base(); });
  expect(Check::registrars, "opening: registrar 1: the opening's digest of moduli",
         [](Opening& opening) { opening.registrars[1].moduli_digest[0] ^= 1; });
  expect(Check::registrars, "credential key of registrar 0 for style 0: ", [](Opening& opening) {
    std::swap(opening.registrars[0].log, opening.registrars[1].log);
  });
}

TEST(OpeningMessage, NeedsEveryCredentialKey) {
  Play play;
  play.to(Phase::ready);
  const auto keys = play.credential_keys();
  for (const Message& key : keys) {
    play.say(key);
  }
  const Message opening = play.opening();
  Play second;
  second.to(Phase::ready);
  for (const std::size_t k : {0U, 1U, 3U}) {
    second.say(keys[k]);
  }
  const Fault fault = second.fault_of(opening);
  EXPECT_EQ(fault.check, Check::registrars);
  EXPECT_EQ(fault.message, "credential key of registrar 1 for style 0: is missing");
}

TEST(OpenAndClose, HaveExactlyTheirPayload) {
  Play play;
  play.to(Phase::opened);
  EXPECT_EQ(play.fault_of(play.signed_by_sender(MessageType::open, 0, Bytes(1))).message,
            "open: must have no payload");
  play.to(Phase::voting);
  Close close;
  close.boxes = {{.size = 1, .root = {1}}, {.size = 2, .root = {2}}};
  close.rolls = {{.size = 3, .root = {3}}, {.size = 0x0102030405060708, .root = {4}}};
  const Bytes payload = close.encode();
  ASSERT_EQ(payload.size(), 4U * 40);
  EXPECT_EQ(hex(ByteView(payload).subspan(120, 9)), "010203040506070804");
  for (std::size_t size = 0; size < payload.size(); ++size) {
    EXPECT_FALSE(Close::decode(ByteView(payload).first(size), *play.manifest).has_value());
  }
  Bytes longer = payload;
  longer.push_back(0);
  const Fault fault = play.fault_of(play.signed_by_sender(MessageType::close, 0, longer));
  EXPECT_EQ(fault.check, Check::order);
  EXPECT_EQ(fault.message, "close: close: 1 bytes too many");
  play.say(play.signed_by_sender(MessageType::close, 0, payload));
  EXPECT_EQ(play.log.close()->boxes, close.boxes);
  EXPECT_EQ(play.log.close()->rolls, close.rolls);
}

// --- rolls ---------------------------------------------------------------------------------------

RollImport import_of(std::uint32_t number, std::vector<std::uint64_t> voters) {
  return {.number = number,
          .digest = {static_cast<std::uint8_t>(number), 9},
          .voters = std::move(voters)};
}

TEST(Rolls, AnyNumberBetweenOpeningAndClose) {
  Play play;
  const auto say = [&](std::uint32_t registrar, const RollImport& import) {
    play.say(play.signed_by_sender(MessageType::roll, registrar, import.encode()));
  };
  play.to(Phase::opened);
  EXPECT_EQ(play.log.announced(0, 0), std::nullopt);
  EXPECT_TRUE(play.log.roll_imports(1).empty());
  say(1, import_of(0, {3, 4}));
  EXPECT_EQ(play.log.phase(), Phase::opened);
  EXPECT_EQ(play.log.announced(1, 0), 3U);
  EXPECT_EQ(play.log.announced(1, 1), 4U);
  EXPECT_EQ(play.log.announced(0, 1), std::nullopt) << "that was another registrar";
  say(1, import_of(1, {0, 0}));
  play.to(Phase::voting);
  say(0, import_of(0, {0, 0}));
  EXPECT_EQ(play.log.announced(0, 0), 0U) << "a list of nobody admits nobody";
  say(1, import_of(2, {5, 1}));
  say(0, import_of(1, {2, 0}));
  EXPECT_EQ(play.log.phase(), Phase::voting);
  EXPECT_EQ(play.log.announced(0, 0), 2U);
  EXPECT_EQ(play.log.announced(0, 1), 0U);
  EXPECT_EQ(play.log.announced(1, 0), 8U);
  EXPECT_EQ(play.log.announced(1, 1), 5U);
  ASSERT_EQ(play.log.roll_imports(1).size(), 3U);
  EXPECT_EQ(play.log.roll_imports(1)[2], import_of(2, {5, 1}));
  play.to(Phase::complete);
}

TEST(Rolls, AreTheRegistrarsOwn) {
  Play play;
  play.to(Phase::voting);
  const Bytes payload = import_of(0, {1, 1}).encode();
  const auto fault = [&](std::uint32_t registrar, const crypto::Ed25519SecretKey& key) {
    return play.fault_of(
        sign_message(MessageType::roll, play.log.election()->id(), registrar, payload, key));
  };
  for (const std::uint32_t registrar : {2U, 3U, 0xffffffffU}) {
    const Fault found = fault(registrar, play.registrar_logs[0]);
    EXPECT_EQ(found.check, Check::order);
    EXPECT_EQ(found.message, "roll: there is no registrar " + std::to_string(registrar));
  }
  for (const std::uint32_t registrar : {0U, 1U}) {
    for (const auto* key : {&play.registrar_logs[1 - registrar], &play.secrets[0].identity}) {
      const Fault found = fault(registrar, *key);
      EXPECT_EQ(found.check, Check::order);
      EXPECT_EQ(found.equation, "signature");
      EXPECT_TRUE(found.message.starts_with("roll of registrar " + std::to_string(registrar)));
    }
  }
  // Of another election, or of the manifest alone.
  for (const Digest32& context : {play.manifest->digest, Digest32{}}) {
    const Fault found =
        play.fault_of(sign_message(MessageType::roll, context, 0, payload, play.registrar_logs[0]));
    EXPECT_EQ(found.check, Check::record);
    EXPECT_EQ(found.message, "roll: the context is not the election id");
  }
  // Signed as a message of another type.
  Message other = play.signed_by_sender(MessageType::credential_key, 0, payload);
  other.type = MessageType::roll;
  other.context = play.log.election()->id();
  EXPECT_EQ(play.fault_of(other).equation, "signature");
  play.say(play.signed_by_sender(MessageType::roll, 0, payload));
}

TEST(Rolls, CountFromZeroWithoutGaps) {
  Play play;
  play.to(Phase::voting);
  const auto message = [&](std::uint32_t registrar, std::uint32_t number) {
    return play.signed_by_sender(MessageType::roll, registrar, import_of(number, {1, 1}).encode());
  };
  const auto fault = [&](std::uint32_t registrar, std::uint32_t number) {
    const Fault found = play.fault_of(message(registrar, number));
    EXPECT_EQ(found.check, Check::order);
    return found.message;
  };
  EXPECT_EQ(fault(0, 1), "roll of registrar 0: import 1 is out of sequence; 0 is next");
  play.say(message(0, 0));
  EXPECT_EQ(fault(0, 0), "roll of registrar 0: import 0 is out of sequence; 1 is next");
  EXPECT_EQ(fault(0, 2), "roll of registrar 0: import 2 is out of sequence; 1 is next");
  EXPECT_EQ(fault(0, 0xffffffff),
            "roll of registrar 0: import 4294967295 is out of sequence; 1 is next");
  EXPECT_EQ(fault(1, 1), "roll of registrar 1: import 1 is out of sequence; 0 is next");
  play.say(message(1, 0));
  play.say(message(0, 1));
  EXPECT_EQ(play.log.announced(0, 0), 2U);
}

TEST(Rolls, HaveExactlyTheirPayload) {
  Play play;
  play.to(Phase::voting);
  const std::uint64_t voters = play.manifest->voters;
  RollImport import = import_of(0, {voters - 1, 1});
  const Bytes payload = import.encode();
  ASSERT_EQ(payload.size(), 4U + 32 + 2 * 8);
  EXPECT_EQ(hex(ByteView(payload).first(6)), "000000000009");
  EXPECT_EQ(hex(ByteView(payload).subspan(44)), "0000000000000001");
  EXPECT_EQ(must(RollImport::decode(payload, *play.manifest)), import);
  const auto fault = [&](const Bytes& bytes) {
    const Fault found = play.fault_of(play.signed_by_sender(MessageType::roll, 0, bytes));
    EXPECT_EQ(found.check, Check::order);
    EXPECT_TRUE(found.message.starts_with("roll of registrar 0: ")) << found.message;
    return found.message;
  };
  for (std::size_t size = 0; size < payload.size(); ++size) {
    fault(Bytes(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  Bytes longer = payload;
  longer.push_back(0);
  EXPECT_EQ(fault(longer), "roll of registrar 0: roll: 1 bytes too many");
  longer.resize(payload.size() + 8);
  EXPECT_EQ(fault(longer), "roll of registrar 0: roll: 8 bytes too many") << "three styles";
  // More voters than the election has, in one style, in all, and around 2^64.
  const std::string too_many = "roll of registrar 0: roll: more voters than the manifest allows";
  for (const std::vector<std::uint64_t>& numbers :
       std::vector<std::vector<std::uint64_t>>{{voters + 1, 0},
                                               {0, voters + 1},
                                               {voters, 1},
                                               {voters - 1, 2},
                                               {UINT64_MAX, 0},
                                               {0, UINT64_MAX},
                                               {1, UINT64_MAX},
                                               {UINT64_MAX, UINT64_MAX},
                                               {std::uint64_t{1} << 63, std::uint64_t{1} << 63}}) {
    EXPECT_EQ(fault(import_of(0, numbers).encode()), too_many);
  }
  play.say(play.signed_by_sender(MessageType::roll, 0, payload));
  EXPECT_EQ(play.log.announced(0, 0), voters - 1);
}

TEST(Rolls, EveryBitCounts) {
  Play play;
  play.to(Phase::voting);
  const Bytes good =
      play.signed_by_sender(MessageType::roll, 1, import_of(0, {2, 3}).encode()).encode();
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    Bytes changed = good;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto message = Message::decode(changed);
    MainLog copy = play.log;
    EXPECT_FALSE(message.has_value() && copy.append(*message).has_value()) << bit;
  }
  play.say(must(Message::decode(good)));
}

TEST(Tallies, StandInOrder) {
  Play play;
  play.to(Phase::closed);
  const auto fault = [&](std::uint32_t contest, std::uint32_t unit) {
    const std::vector<std::uint64_t> votes(contest == 0 ? 3 : 2);
    const Fault found = play.fault_of(play.say_tally(play.tally(contest, unit, votes)));
    EXPECT_EQ(found.check, Check::aggregate);
    return found.message;
  };
  EXPECT_EQ(fault(0, 1), "tally 0: contest 0, unit 1 is out of sequence");
  EXPECT_EQ(fault(1, 1), "tally 0: contest 1, unit 1 is out of sequence");
  play.say(play.say_tally(play.tally(0, 0, {1, 0, 0})));
  EXPECT_EQ(fault(0, 0), "tally 1: contest 0, unit 0 is out of sequence");
  EXPECT_EQ(fault(0, 2), "tally 1: contest 0, unit 2 is out of sequence");
  play.say(play.say_tally(play.tally(0, 1, {1, 0, 0})));
  EXPECT_EQ(fault(1, 2), "tally 2: contest 1, unit 2 is out of sequence");
  play.say(play.say_tally(play.tally(1, 0, {1, 0})));
  EXPECT_EQ(fault(0, 0), "tally 3: contest 0, unit 0 is out of sequence");
  EXPECT_EQ(fault(0, 2), "tally 3: contest 0, unit 2 is out of sequence");

  Play withheld;  // the first contest has no unit
  withheld.to(Phase::closed);
  withheld.say(withheld.say_tally(withheld.tally(1, 0, {1, 0})));
  EXPECT_EQ(withheld.log.phase(), Phase::tallied);
}

TEST(Tallies, MustDecode) {
  Play play;
  play.to(Phase::closed);
  const Tally good = play.tally(0, 0, {1, 2, 0});
  const auto fault = [&](const Tally& tally) {
    const Fault found = play.fault_of(play.say_tally(tally));
    EXPECT_EQ(found.check, Check::aggregate);
    return found.message;
  };
  Tally bad = good;
  bad.contest = 2;
  EXPECT_EQ(fault(bad), "tally 0: there is no contest 2");
  bad = good;
  bad.counted = 1001;
  EXPECT_EQ(fault(bad), "tally 0: counted ballots: 1001 are more than the manifest's voters");
  bad = good;
  bad.sums.pop_back();
  EXPECT_TRUE(fault(bad).starts_with("tally 0: sum of option 3"));
  bad = good;
  bad.sums.emplace_back();
  EXPECT_EQ(fault(bad), "tally 0: tally: 64 bytes too many");
}

TEST(Decryptions, AreOneOfATrusteeForATally) {
  Play play;
  play.to(Phase::tallied);
  const Message first = must(play.decryption(2, 0));
  const Message second = must(play.decryption(2, 0));
  play.say(first);
  for (const Message& again : {first, second}) {
    const Fault fault = play.fault_of(again);
    EXPECT_EQ(fault.check, Check::decryption);
    EXPECT_EQ(fault.message, "decryption of tally 0 of trustee 2: is there already");
  }
  play.say(must(play.decryption(2, 1)));
  EXPECT_EQ(play.log.decryptions()[0].size(), 1U);
  EXPECT_EQ(play.log.decryptions()[0][0].trustee, 2U);
}

TEST(Decryptions, ComeFromTrustees) {
  Play play;
  play.to(Phase::tallied);
  const Message good = must(play.decryption(1, 0));
  for (const std::uint32_t sender : {0U, 4U}) {
    const Fault fault = play.fault_of(sign_message(MessageType::decryption, good.context, sender,
                                                   good.payload, play.secrets[0].identity));
    EXPECT_EQ(fault.check, Check::decryption);
    EXPECT_EQ(fault.message, "decryption: there is no trustee " + std::to_string(sender));
  }
  // Trustee 1's decryption, signed by trustee 2 in either name.
  Fault fault = play.fault_of(play.signed_by_sender(MessageType::decryption, 2, good.payload));
  EXPECT_EQ(fault.check, Check::decryption);
  EXPECT_EQ(fault.equation, "proof of decryption");
  fault = play.fault_of(sign_message(MessageType::decryption, good.context, 1, good.payload,
                                     play.secrets[1].identity));
  EXPECT_EQ(fault.check, Check::decryption);
  EXPECT_EQ(fault.equation, "signature");
}

TEST(Decryptions, AreProved) {
  Play play;
  play.to(Phase::closed);
  // Two units of one contest, so that a decryption of one has the form of the other's.
  play.say(play.say_tally(play.tally(0, 0, {1, 0, 0})));
  play.say(play.say_tally(play.tally(0, 1, {0, 1, 0})));
  const Message good = must(play.decryption(1, 0));
  const Decryption decryption = must(Decryption::decode(good.payload, play.log.tallies()));
  const auto expect_refused = [&](const Decryption& changed) {
    const Fault fault =
        play.fault_of(play.signed_by_sender(MessageType::decryption, 1, changed.encode()));
    EXPECT_EQ(fault.check, Check::decryption);
    EXPECT_EQ(fault.equation, "proof of decryption");
  };
  Decryption changed = decryption;
  changed.tally = 1;  // for another tally
  expect_refused(changed);
  for (std::size_t o = 0; o < 3; ++o) {
    changed = decryption;
    changed.shares[o] = changed.shares[o] + Point::base();
    expect_refused(changed);
  }
  changed = decryption;
  std::swap(changed.shares[0], changed.shares[1]);
  expect_refused(changed);
  for (std::size_t i = 0; i < 4; ++i) {
    changed = decryption;
    changed.proof.commitments[i] = changed.proof.commitments[i] + Point::base();
    expect_refused(changed);
  }
  changed = decryption;
  changed.proof.response = changed.proof.response + Scalar::one();
  expect_refused(changed);
  changed = decryption;
  changed.tally = 2;
  const Fault fault =
      play.fault_of(play.signed_by_sender(MessageType::decryption, 1, changed.encode()));
  EXPECT_EQ(fault.check, Check::decryption);
  EXPECT_EQ(fault.message, "decryption of trustee 1: there is no tally 2");
  play.say(good);
}

TEST(Decryptions, OfAnotherElectionProveNothing) {
  Play play;
  Play other({.keys = 1});
  play.to(Phase::tallied);
  other.to(Phase::tallied);
  const Message foreign = must(other.decryption(1, 0));
  EXPECT_EQ(play.fault_of(foreign).check, Check::record);
  EXPECT_EQ(
      play.fault_of(play.signed_by_sender(MessageType::decryption, 1, foreign.payload)).equation,
      "proof of decryption");
}

TEST(Results, NeedAThresholdOfDecryptions) {
  Play play;
  play.to(Phase::decrypting);
  const auto results = must(play.authority.results(play.log));
  Play second;
  second.to(Phase::tallied);
  const auto fault = [&] {
    const Fault found =
        second.fault_of(second.signed_by_sender(MessageType::result, 0, results[0].payload));
    EXPECT_EQ(found.check, Check::decryption);
    return found.message;
  };
  EXPECT_EQ(fault(), "result of tally 0: has 0 decryptions, needs 2");
  second.say(must(second.decryption(3, 0)));
  EXPECT_EQ(fault(), "result of tally 0: has 1 decryptions, needs 2");
  second.say(must(second.decryption(1, 1)));
  EXPECT_EQ(fault(), "result of tally 0: has 1 decryptions, needs 2");
  second.say(must(second.decryption(1, 0)));
  second.say(second.signed_by_sender(MessageType::result, 0, results[0].payload));
}

TEST(Results, AreWhatTheDecryptionsGive) {
  Play play;
  play.to(Phase::decrypting);
  const auto fault = [&](std::vector<std::uint64_t> totals, std::uint32_t tally = 0) {
    const TallyResult result{.tally = tally, .totals = std::move(totals)};
    const Fault found =
        play.fault_of(play.signed_by_sender(MessageType::result, 0, result.encode()));
    EXPECT_EQ(found.check, Check::result);
    return found.message;
  };
  EXPECT_EQ(fault({4, 0, 2}), "result of tally 0: option 1 is not what the decryptions give");
  EXPECT_EQ(fault({3, 0, 1}), "result of tally 0: option 3 is not what the decryptions give");
  EXPECT_EQ(fault({0, 3, 2}), "result of tally 0: option 1 is not what the decryptions give");
  EXPECT_EQ(fault({3, 0, 6}),
            "result of tally 0: option 3 has more votes than its ballots can give");
  EXPECT_EQ(fault({3, 0xffffffffffffffff, 2}),
            "result of tally 0: option 2 has more votes than its ballots can give");
  EXPECT_TRUE(fault({3, 0}).starts_with("result of tally 0: total of option 3"));
  EXPECT_EQ(fault({3, 0, 2, 0}), "result of tally 0: result: 8 bytes too many");
  EXPECT_EQ(fault({15, 7}, 1), "result of tally 0: out of sequence; it is of tally 1");
  EXPECT_EQ(fault({3, 0, 2}, 2), "result of tally 0: there is no tally 2");
  const auto results = must(play.authority.results(play.log));
  play.say(results[0]);
  EXPECT_EQ(fault({3, 0, 2}), "result of tally 1: out of sequence; it is of tally 0");
  EXPECT_EQ(fault({16, 7}, 1),
            "result of tally 1: option 1 has more votes than its ballots can give");
  play.say(results[1]);
  EXPECT_EQ(play.log.phase(), Phase::complete);
}

TEST(Results, OutOfRangeAreRefusedThoughTheyDecrypt) {
  // Six votes from five ballots: what a sum that is not of the counted ballots could open to.
  Play play;
  play.votes = {{6, 0, 0}, {15, 7}};
  play.to(Phase::decrypting);
  const TallyResult result{.tally = 0, .totals = {6, 0, 0}};
  EXPECT_EQ(play.fault_of(play.signed_by_sender(MessageType::result, 0, result.encode())).check,
            Check::result);
}

TEST(MainLog, RefusesEveryMessageWithAFlippedBit) {
  Play play;
  play.to(Phase::complete);
  MainLog log(play.manifest, play.evaluator);
  const auto is_refused = [&](const Bytes& bytes) {
    const auto message = Message::decode(bytes);
    MainLog copy = log;
    return !message.has_value() || !copy.append(*message).has_value();
  };
  for (const Message& message : play.said) {
    const Bytes bytes = message.encode();
    for (std::size_t k = 0; k < test::iterations(25); ++k) {
      const std::uint64_t bit = play.random.below(8 * bytes.size());
      Bytes changed = bytes;
      changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      if (is_refused(changed)) {
        continue;
      }
      // Only a credential key may pass alone: with it, nothing opens.
      ASSERT_EQ(message.type, MessageType::credential_key) << "bit " << bit;
      MainLog copy = log;
      ASSERT_TRUE(copy.append(*Message::decode(changed)).has_value());
      for (const Message& next : play.said) {
        if (next.type == MessageType::credential_key && next != message) {
          static_cast<void>(copy.append(next));
        }
      }
      const auto opening = std::ranges::find(play.said, MessageType::opening, &Message::type);
      const auto taken = copy.append(*opening);
      ASSERT_FALSE(taken.has_value());
      EXPECT_EQ(taken.error().check, Check::registrars) << taken.error().message;
    }
    ASSERT_TRUE(log.append(message).has_value());
  }
  EXPECT_EQ(log.phase(), Phase::complete);
}

TEST(MainLog, RefusesEveryMessageLeftOutOrSwapped) {
  Play play;
  play.to(Phase::complete);
  // Left out: something later does not fit, or the election is not complete.
  for (std::size_t left_out = 0; left_out < play.said.size(); ++left_out) {
    MainLog log(play.manifest, play.evaluator);
    bool all_taken = true;
    for (std::size_t k = 0; k < play.said.size() && all_taken; ++k) {
      all_taken = k == left_out || log.append(play.said[k]).has_value();
    }
    EXPECT_FALSE(all_taken && log.phase() == Phase::complete) << "without message " << left_out;
  }
  // Swapped: one of the two is refused.
  for (std::size_t k = 0; k + 1 < play.said.size(); ++k) {
    const MessageType type = play.said[k].type;
    const MessageType next = play.said[k + 1].type;
    const bool is_free = type == next && type != MessageType::tally && type != MessageType::result;
    const bool is_key = type == MessageType::credential_key || next == MessageType::credential_key;
    if (is_free || (is_key && next != MessageType::opening)) {
      continue;
    }
    MainLog log(play.manifest, play.evaluator);
    for (std::size_t i = 0; i < k; ++i) {
      ASSERT_TRUE(log.append(play.said[i]).has_value());
    }
    EXPECT_FALSE(log.append(play.said[k + 1]).has_value() && log.append(play.said[k]).has_value())
        << name(next) << " before " << name(type);
  }
}

}  // namespace
}  // namespace psephos::protocol
