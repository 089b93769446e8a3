#include "cli/promise.h"

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/protocol/log_reader.h"

#include "cli/outbox.h"
#include "tests/cli/fake_service.h"
#include "tests/crypto/expect.h"
#include "tests/record/forge.h"

namespace psephos::cli {
namespace {

using network::HttpResponse;
using protocol::BoxReceipt;
using protocol::Manifest;
using protocol::Wallet;
using test::Asked;
using test::fails_with;
using test::FakeService;
using test::Forge;
using test::is_ok;
using test::kService;
using test::MemoryStore;
using test::must;
using test::says;
using State = Kept::State;
using Files = MemoryStore::Files;

// An election with open polls, one shard, and a voter.
struct Vote {
  Forge forge{test::tiny_manifest()};
  Wallet wallet = forge.enrol();

  Bytes cast(std::size_t option = 0) { return forge.cast(wallet, {std::to_string(option + 1)}); }
  [[nodiscard]] const protocol::Election& election() const { return *forge.election; }

  // The log with entries of other voters in front, and these behind.
  Files log(std::size_t before, const std::vector<Bytes>& mine, std::uint8_t variant = 1) {
    forge.boxes[0].assign(before, Bytes());
    for (std::size_t i = 0; i < before; ++i) {
      forge.boxes[0][i] = Bytes{variant, static_cast<std::uint8_t>(i)};
    }
    forge.boxes[0].insert(forge.boxes[0].end(), mine.begin(), mine.end());
    return forge.publish();
  }
  std::string receipt(const Files& files, std::uint64_t index) const {
    const MemoryStore store(files);
    const auto reader = must(protocol::LogReader::open(
        store, "box/0", forge.manifest->log_origin(Manifest::box_log(0))));
    return must(reader.proof(index)).print();
  }
  [[nodiscard]] Promise promise(const std::string& receipt) const {
    return {
        .name = "code", .receipt = must(BoxReceipt::read(election(), receipt)), .text = receipt};
  }
  static std::string checkpoint(const Files& files) {
    return std::string(as_text(files.at("box/0/checkpoint")));
  }

  Result<Comparison> compare_with(const Files& files, std::vector<Promise> promises,
                                  const std::string& seen = "",
                                  std::optional<crypto::TreeHead> closed = std::nullopt) {
    const MemoryStore store(files);
    return compare({.record = store,
                    .election = election(),
                    .shard = 0,
                    .seen = seen,
                    .promises = promises,
                    .closed = closed,
                    .looks = 0,
                    .sleep = {}});
  }
};

// --- receipts and refusals
// ------------------------------------------------------------------------

TEST(Receipt, IsSignedByABoxOfThisElection) {
  Vote vote;
  const Files files = vote.log(3, {vote.cast()});
  const std::string text = vote.receipt(files, 3);
  const BoxReceipt receipt = must(BoxReceipt::read(vote.election(), text));
  EXPECT_EQ(receipt.shard, 0U);
  EXPECT_EQ(receipt.promise.index, 3U);
  EXPECT_EQ(receipt.promise.tree.size, 4U);
  for (std::size_t size = 0; size < text.size(); size += 7) {
    EXPECT_FALSE(BoxReceipt::read(vote.election(), text.substr(0, size)).has_value()) << size;
  }
  const std::size_t end = text.size() - 10;  // in the signature
  std::string other = text;
  other[end] = other[end] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(BoxReceipt::read(vote.election(), other).has_value());
  EXPECT_TRUE(fails_with(Errc::malformed, BoxReceipt::read(vote.election(), "<html>")));
  const Vote elsewhere;
  EXPECT_TRUE(fails_with(Errc::rejected, BoxReceipt::read(elsewhere.election(), text)));
  auto proof = must(crypto::LogProof::parse(text));
  proof.extra->back() ^= 1;
  EXPECT_TRUE(fails_with(Errc::rejected, BoxReceipt::read(vote.election(), proof.print())));
  proof = must(crypto::LogProof::parse(text));
  proof.index = 4;
  EXPECT_TRUE(fails_with(Errc::rejected, BoxReceipt::read(vote.election(), proof.print())));
  // The checkpoint of another log of the election.
  proof.checkpoint = as_text(files.at("roll/0/checkpoint"));
  proof.index = 0;
  EXPECT_TRUE(fails_with(Errc::rejected, BoxReceipt::read(vote.election(), proof.print())));
}

std::string refusal(const Forge& forge, ByteView entry, const std::string& reason,
                    const std::string& origin) {
  const auto signer = must(forge.box_keys->log_signer(*forge.manifest, 0));
  return must(signer->sign("psephos/v1/refusal " + origin + "\n" + base64(crypto::sha256({entry})) +
                           "\n0\n" + base64(crypto::MerkleFrontier().head().root) + "\n" + reason +
                           "\n"));
}

TEST(Refusal, IsOfThisEntryAndSigned) {
  Vote vote;
  const Bytes entry = vote.cast();
  const std::string origin = vote.forge.manifest->log_origin("box/0");
  const std::string good = refusal(vote.forge, entry, "V9: twice", origin);
  EXPECT_EQ(must(check_refusal(vote.election(), 0, entry, good)), "V9: twice");
  Bytes other = entry;
  other.back() ^= 1;
  EXPECT_TRUE(fails_with(Errc::rejected, check_refusal(vote.election(), 0, other, good)));
  EXPECT_FALSE(
      check_refusal(vote.election(), 0, entry, refusal(vote.forge, entry, "V9", origin + "x"))
          .has_value());
  std::string changed = good;
  changed.replace(changed.find("twice"), 5, "never");
  EXPECT_TRUE(fails_with(Errc::rejected, check_refusal(vote.election(), 0, entry, changed)));
  EXPECT_FALSE(check_refusal(vote.election(), 0, entry, "no").has_value());
  const Vote elsewhere;
  EXPECT_FALSE(check_refusal(elsewhere.election(), 0, entry, good).has_value());
}

// --- the log that is shown
// --------------------------------------------------------------------------

TEST(Compare, APromiseThatIsKept) {
  Vote vote;
  const Bytes entry = vote.cast();
  const Files first = vote.log(300, {entry});
  const std::string receipt = vote.receipt(first, 300);
  for (const std::size_t more : {0U, 1U, 300U}) {
    std::vector<Bytes> mine = {entry};
    mine.insert(mine.end(), more, Bytes{7, 7});
    const auto result = must(
        vote.compare_with(vote.log(300, mine), {vote.promise(receipt)}, Vote::checkpoint(first)));
    EXPECT_EQ(result.kept[0].state, State::kept) << result.kept[0].what;
    EXPECT_EQ(result.seen.state, State::kept) << result.seen.what;
    EXPECT_EQ(result.close.state, State::kept);
    EXPECT_EQ(result.tree.size, 301U + more);
    EXPECT_TRUE(result.has_quorum);
  }
}

TEST(Compare, AnEntryThatWasDroppedOrReplaced) {
  Vote vote;
  const Bytes entry = vote.cast();
  const Files honest = vote.log(5, {entry});
  const std::string receipt = vote.receipt(honest, 5);
  const std::vector<Promise> promises = {vote.promise(receipt)};

  const Files dropped = vote.log(5, {});
  const auto behind = must(vote.compare_with(dropped, promises, Vote::checkpoint(honest)));
  EXPECT_EQ(behind.kept[0].state, State::behind);
  EXPECT_EQ(behind.seen.state, State::behind);
  EXPECT_EQ(behind.checkpoint, Vote::checkpoint(dropped));

  const auto forked = must(vote.compare_with(vote.log(5, {Bytes{1, 2}, Bytes{3, 4}}), promises,
                                             Vote::checkpoint(honest)));
  EXPECT_EQ(forked.kept[0].state, State::broken);
  EXPECT_EQ(forked.seen.state, State::broken);
  EXPECT_NE(forked.seen.what.find("two histories"), std::string::npos);

  const auto same_size =
      must(vote.compare_with(vote.log(5, {entry}, 2), promises, Vote::checkpoint(honest)));
  EXPECT_EQ(same_size.kept[0].state, State::broken);
  EXPECT_EQ(same_size.seen.state, State::broken);
}

TEST(Compare, FilesThatDoNotFitTheCheckpoint) {
  Vote vote;
  const Bytes entry = vote.cast();
  const Files honest = vote.log(5, {entry});
  const std::vector<Promise> promises = {vote.promise(vote.receipt(honest, 5))};
  // Entries are not asked for.
  Files files = honest;
  files.erase("box/0/tile/entries/000.p/6");
  EXPECT_EQ(must(vote.compare_with(files, promises)).kept[0].state, State::kept);
  files = honest;
  files["box/0/checkpoint"].back() ^= 1;
  EXPECT_FALSE(vote.compare_with(files, promises).has_value());
  files = honest;
  files["box/0/checkpoint"] = honest.at("roll/0/checkpoint");
  EXPECT_FALSE(vote.compare_with(files, promises).has_value());
  EXPECT_TRUE(fails_with(Errc::environment, vote.compare_with({}, promises)));
}

TEST(Compare, ADamagedTileAccusesNobody) {
  Vote vote;
  const Bytes entry = vote.cast();
  const Files before = vote.log(300, {entry});
  const std::vector<Promise> promises = {vote.promise(vote.receipt(before, 300))};
  const Files honest = vote.log(300, {entry, Bytes(3, 7)});
  for (const bool shorter : {false, true}) {
    Files files = honest;
    Bytes& tile = files["box/0/tile/0/001.p/46"];
    ASSERT_FALSE(tile.empty());
    if (shorter) {
      tile.pop_back();
    } else {
      tile[33] ^= 1;
    }
    EXPECT_TRUE(
        fails_with(Errc::malformed, vote.compare_with(files, {}, Vote::checkpoint(before))));
    EXPECT_TRUE(fails_with(Errc::malformed, vote.compare_with(files, promises)));
    EXPECT_TRUE(fails_with(Errc::malformed,
                           vote.compare_with(files, {}, "", promises[0].receipt.promise.tree)));
  }
}

TEST(Compare, ThePollsAreClosedOverThisLog) {
  Vote vote;
  const Bytes entry = vote.cast();
  const Files five = vote.log(5, {});
  const Files six = vote.log(5, {entry});
  const Files other = vote.log(6, {}, 9);
  const std::string receipt = vote.receipt(six, 5);
  const auto tree = [&](const Files& files) { return must(vote.compare_with(files, {})).tree; };
  EXPECT_EQ(must(vote.compare_with(six, {}, "", tree(six))).close.state, State::kept);
  EXPECT_EQ(must(vote.compare_with(five, {}, "", tree(six))).close.state, State::behind);
  // What came after the close does not count.
  EXPECT_EQ(must(vote.compare_with(six, {}, "", tree(five))).close.state, State::broken);
  EXPECT_EQ(must(vote.compare_with(six, {}, "", tree(other))).close.state, State::broken);
}

TEST(Compare, WaitsForWhatIsNotPublishedYet) {
  Vote vote;
  const Bytes entry = vote.cast();
  const Files before = vote.log(5, {});
  const Files after = vote.log(5, {entry});
  const std::vector<Promise> promises = {vote.promise(vote.receipt(after, 5))};
  for (const unsigned looks : {0U, 1U, 2U, 3U}) {
    MemoryStore store(before);
    unsigned slept = 0;
    const auto result = must(compare({.record = store,
                                      .election = vote.election(),
                                      .shard = 0,
                                      .seen = {},
                                      .promises = promises,
                                      .closed = {},
                                      .looks = looks,
                                      .sleep = [&](auto) {
                                        if (++slept == 2) {
                                          for (const auto& [path, content] : after) {
                                            must(store.write(path, content));
                                          }
                                        }
                                      }}));
    EXPECT_EQ(slept, std::min(looks, 2U));
    EXPECT_EQ(result.kept[0].state, looks < 2 ? State::behind : State::kept);
  }
}

// --- the outbox
// -----------------------------------------------------------------------------------

// A box behind the API: takes what it is told to take.
struct Box {
  explicit Box(Vote& vote) : vote_(&vote) {}

  Result<HttpResponse> operator()(const Asked& asked) {
    if (fail_at.has_value() && taken.size() == *fail_at) {
      return fail(Errc::environment, "no connection");
    }
    const auto known = std::ranges::find(taken, asked.body);
    if (known == taken.end()) {
      taken.push_back(asked.body);
    }
    const auto index =
        static_cast<std::uint64_t>(std::ranges::find(taken, asked.body) - taken.begin());
    const std::string receipt = vote_->receipt(vote_->log(0, taken), index);
    if (std::exchange(lose_answer, false)) {
      return fail(Errc::environment, "the connection was closed");
    }
    return says(200, receipt);
  }

  std::vector<Bytes> taken;
  std::optional<std::size_t> fail_at;
  bool lose_answer = false;

 private:
  Vote* vote_;
};

struct Sending {
  explicit Sending(FakeService::Answer answer)
      : service(std::move(answer)),
        server(must(Server::create(service, kService,
                                   {.max_waits = 0, .longest_wait = {}, .sleep = [](auto) {}}))) {}
  Result<Delivery> send(Vote& vote) {
    return deliver(server, vote.election(), vote.wallet, [this]() -> Result<void> {
      ++saves;
      return {};
    });
  }
  FakeService service;
  Server server;
  int saves = 0;
};

TEST(Outbox, SendsEverythingOnceAndInOrder) {
  Vote vote;
  std::vector<Bytes> mine;
  for (std::size_t i = 0; i < 3; ++i) {
    mine.push_back(vote.cast(i % 2));
  }
  Box box(vote);
  box.fail_at = 1;
  Sending sending(std::ref(box));
  const Delivery first = must(sending.send(vote));
  EXPECT_EQ(first.answered.size(), 1U);
  EXPECT_EQ(first.waiting, 2U);
  EXPECT_EQ(first.stopped->code, Errc::environment);
  EXPECT_EQ(sending.saves, 1);
  EXPECT_EQ(vote.wallet.sent()[0].answer, Wallet::Answer::receipt);
  EXPECT_EQ(vote.wallet.sent()[1].answer, Wallet::Answer::none);
  box.fail_at.reset();
  const Delivery second = must(sending.send(vote));
  EXPECT_EQ(second.answered.size(), 2U);
  EXPECT_EQ(second.waiting, 0U);
  EXPECT_FALSE(second.stopped.has_value());
  EXPECT_EQ(box.taken, mine);
  const std::size_t asked = sending.service.asked.size();
  EXPECT_TRUE(must(sending.send(vote)).answered.empty());
  EXPECT_EQ(sending.service.asked.size(), asked);
}

TEST(Outbox, ALostAnswerIsAskedForAgain) {
  Vote vote;
  const Bytes entry = vote.cast();
  Box box(vote);
  box.lose_answer = true;
  Sending sending(std::ref(box));
  EXPECT_TRUE(must(sending.send(vote)).stopped.has_value());
  EXPECT_EQ(must(sending.send(vote)).answered.size(), 1U);
  EXPECT_EQ(box.taken, std::vector<Bytes>{entry});
}

TEST(Outbox, ARefusalIsKeptAndWhatFollowsIsSent) {
  Vote vote;
  const Bytes refused = vote.cast();
  const Bytes good = vote.cast();
  const std::string note =
      refusal(vote.forge, refused, "V9: twice", vote.forge.manifest->log_origin("box/0"));
  Box box(vote);
  Sending sending([&](const Asked& asked) -> Result<HttpResponse> {
    return asked.body == refused ? says(422, Json({{"detail", "V9"}, {"refusal", note}}).dump())
                                 : box(asked);
  });
  const Delivery delivery = must(sending.send(vote));
  ASSERT_EQ(delivery.answered.size(), 2U);
  EXPECT_FALSE(delivery.answered[0].accepted);
  EXPECT_EQ(delivery.answered[0].reason, "V9: twice");
  EXPECT_TRUE(delivery.answered[1].accepted);
  EXPECT_EQ(vote.wallet.sent()[0].answer, Wallet::Answer::refusal);
  EXPECT_EQ(vote.wallet.sent()[0].text, note);
  EXPECT_EQ(delivery.waiting, 0U);
  must(sending.send(vote));
  EXPECT_EQ(sending.service.asked.size(), 2U);
}

TEST(Outbox, WhatNoBoxWouldSayIsNotKept) {
  Vote vote;
  const Bytes entry = vote.cast();
  Vote elsewhere;
  const std::string foreign = elsewhere.receipt(elsewhere.log(1, {}), 0);
  const std::string origin = vote.forge.manifest->log_origin("box/0");
  vote.log(2, {entry});
  const std::string of_others = vote.receipt(vote.forge.publish(), 1);
  auto forged = must(crypto::LogProof::parse(vote.receipt(vote.forge.publish(), 2)));
  forged.hashes.front()[0] ^= 1;
  const std::string of_another = refusal(vote.forge, Bytes(3), "V9", origin);
  for (const HttpResponse& answer :
       {says(200), says(200, "<html>sign in to the hotel</html>"), says(200, foreign),
        says(200, of_others), says(200, forged.print()), says(422, R"({"detail":"V9"})"),
        says(422, R"({"detail":"V9","refusal":"no"})"),
        says(422, Json({{"refusal", of_another}}).dump()), says(409), says(404), says(301)}) {
    Sending sending([&](const Asked&) -> Result<HttpResponse> { return answer; });
    const Delivery delivery = must(sending.send(vote));
    ASSERT_TRUE(delivery.stopped.has_value()) << as_text(answer.body);
    EXPECT_NE(delivery.stopped->code, Errc::environment) << as_text(answer.body);
    EXPECT_EQ(delivery.waiting, 1U);
    EXPECT_TRUE(delivery.answered.empty());
    EXPECT_EQ(sending.saves, 0);
    EXPECT_EQ(vote.wallet.sent()[0].answer, Wallet::Answer::none);
  }
}

TEST(Outbox, AWalletThatCannotBeSavedSendsNoMore) {
  Vote vote;
  vote.cast();
  vote.cast();
  Box box(vote);
  Sending sending(std::ref(box));
  EXPECT_TRUE(fails_with(Errc::environment, deliver(sending.server, vote.election(), vote.wallet,
                                                    []() -> Result<void> {
                                                      return fail(Errc::environment, "disk full");
                                                    })));
  EXPECT_EQ(box.taken.size(), 1U);
}

}  // namespace
}  // namespace psephos::cli
