#include "cli/promise.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "psephos/crypto/hash.h"
#include "psephos/protocol/box.h"
#include "psephos/protocol/log_reader.h"

namespace psephos::cli {

using protocol::Election;
using protocol::LogReader;
using protocol::Manifest;

namespace {

// A checkpoint that changes all the time while its files are read.
constexpr unsigned kMaxRefetches = 16;

Kept ok() { return {.state = Kept::State::kept}; }
Kept behind(std::string what) { return {.state = Kept::State::behind, .what = std::move(what)}; }
Kept broken(std::string what) { return {.state = Kept::State::broken, .what = std::move(what)}; }

std::string entries(std::uint64_t size) {
  return std::to_string(size) + (size == 1 ? " entry" : " entries");
}

Result<crypto::TreeHead> tree_of(std::string_view checkpoint) {
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(checkpoint));
  PSEPHOS_TRY(const crypto::Checkpoint parsed, crypto::Checkpoint::parse(note.text));
  return parsed.tree;
}

// One look at the log as it is now.
class Look {
 public:
  static Result<Look> take(const CompareInput& input) {
    const std::string log = Manifest::box_log(input.shard);
    const Manifest& manifest = input.election.manifest();
    PSEPHOS_TRY(crypto::NoteVerifier key, input.election.log_verifier(log));
    PSEPHOS_TRY(LogReader reader, LogReader::open(input.record, log, manifest.log_origin(log)));
    if (auto good = protocol::verify_checkpoint(reader.note(), key, manifest.witnesses, 0);
        !good.has_value()) {
      return within(log, good.error());
    }
    return Look(input, std::move(key), std::move(reader));
  }

  [[nodiscard]] std::string checkpoint() const { return reader_.note().print(); }

  Result<Comparison> compare() const {
    const Manifest& manifest = input_->election.manifest();
    Comparison result{
        .checkpoint = checkpoint(),
        .tree = reader_.tree(),
        .cosignatures = static_cast<std::uint32_t>(reader_.note().signatures.size() - 1),
        .has_quorum = true,
        .seen = ok(),
        .kept = {},
        .close = ok()};
    result.has_quorum = result.cosignatures >= manifest.witness_quorum;
    if (!input_->seen.empty()) {
      PSEPHOS_TRY(const crypto::TreeHead seen, tree_of(input_->seen));
      PSEPHOS_TRY(result.seen, follows(seen));
    }
    for (const Promise& promise : input_->promises) {
      PSEPHOS_TRY(Kept kept, keeps(promise));
      result.kept.push_back(std::move(kept));
    }
    if (input_->closed.has_value()) {
      PSEPHOS_TRY(result.close, ends_with(*input_->closed));
    }
    return result;
  }

 private:
  Look(const CompareInput& input, crypto::NoteVerifier key, LogReader reader)
      : input_(&input), key_(std::move(key)), reader_(std::move(reader)) {}

  // Errors say nothing about the log: a file that is not there, or is no log's. Anyone on the way
  // can damage it.
  [[nodiscard]] Result<Kept> follows(const crypto::TreeHead& seen) const {
    const crypto::TreeHead& now = reader_.tree();
    if (now.size < seen.size) {
      return behind("the server shows a log of " + entries(now.size) +
                    "; its key has signed one of " + entries(seen.size) + " before");
    }
    PSEPHOS_TRY(const bool continues, reader_.continues(seen));
    return continues ? ok()
                     : broken("the log's key has signed two histories: one of " +
                              entries(seen.size) + ", seen before, and one of " +
                              entries(now.size) + ", which does not contain it");
  }

  // A receipt proves its entry in its own tree, so that it is kept by every log that begins with
  // that tree. The entry is not asked for: the server need not learn whose ballot this is.
  [[nodiscard]] Result<Kept> keeps(const Promise& promise) const {
    const crypto::TreeHead& promised = promise.receipt.promise.tree;
    PSEPHOS_TRY(Kept kept, follows(promised));
    if (kept.state == Kept::State::behind) {
      return behind("the receipt is over " + entries(promised.size) +
                    "; the server shows a log of " + entries(reader_.tree().size));
    }
    return kept;
  }

  [[nodiscard]] Result<Kept> ends_with(const crypto::TreeHead& closed) const {
    if (reader_.tree() == closed) {
      return ok();
    }
    PSEPHOS_TRY(Kept kept, follows(closed));
    if (kept.state == Kept::State::behind) {
      return behind("the polls were closed over " + entries(closed.size) +
                    "; the server shows a log of " + entries(reader_.tree().size));
    }
    return broken("the polls were closed over " + entries(closed.size) +
                  "; the log that the server shows has " + entries(reader_.tree().size) +
                  (kept.state == Kept::State::broken ? " and does not begin with those" : ""));
  }

  const CompareInput* input_;
  crypto::NoteVerifier key_;
  LogReader reader_;
};

void wait(const CompareInput& input, std::chrono::seconds time) {
  if (input.sleep) {
    input.sleep(time);
  } else {
    std::this_thread::sleep_for(time);
  }
}

bool is_behind(const Comparison& result) {
  return result.seen.state == Kept::State::behind || result.close.state == Kept::State::behind ||
         std::ranges::any_of(result.kept,
                             [](const Kept& kept) { return kept.state == Kept::State::behind; });
}

}  // namespace

Result<std::string> check_refusal(const Election& election, std::uint32_t shard, ByteView entry,
                                  std::string_view note) {
  PSEPHOS_TRY(const crypto::NoteVerifier key, election.log_verifier(Manifest::box_log(shard)));
  auto refusal = protocol::parse_refusal(note, key);
  if (!refusal.has_value()) {
    return within("refusal", refusal.error());
  }
  if (!equal(refusal->entry, crypto::sha256({entry}))) {
    return fail(Errc::rejected, "the refusal is of another entry than the one that was sent");
  }
  return printable(refusal->reason);
}

Result<Comparison> compare(const CompareInput& input) {
  unsigned looks = 0;
  std::string before;
  for (unsigned refetches = 0;;) {
    PSEPHOS_TRY(const Look look, Look::take(input));
    auto result = look.compare();
    if (result.has_value()) {
      if (!is_behind(*result) || looks == input.looks) {
        return result;
      }
      ++looks;
      wait(input, std::chrono::seconds(1));
      continue;
    }
    // A server that goes on takes away the partial tiles it had.
    if (result.error().code != Errc::environment || look.checkpoint() == before ||
        refetches++ == kMaxRefetches) {
      return result;
    }
    before = look.checkpoint();
  }
}

}  // namespace psephos::cli
