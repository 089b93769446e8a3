// What a ballot box has promised a voter, held against the log that a server shows. Nothing the
// server says is believed but what the box's log key has signed, and of that everything is kept:
// two signed papers that contradict each other are the evidence that the box has cheated.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/crypto/merkle.h"
#include "psephos/crypto/note.h"
#include "psephos/error.h"
#include "psephos/protocol/opening.h"
#include "psephos/protocol/receipt.h"
#include "psephos/protocol/storage.h"

namespace psephos::cli {

// check_refusal returns the reason in words. Errc::rejected: the box of this shard has not refused
// this entry (type ‖ body).
[[nodiscard]] Result<std::string> check_refusal(const protocol::Election& election,
                                                std::uint32_t shard, ByteView entry,
                                                std::string_view note);

struct Promise {
  std::string name;  // for files and messages: the tracking code
  protocol::BoxReceipt receipt;
  std::string text;  // of the receipt
};

struct Kept {
  enum class State : std::uint8_t {
    kept,    // the log holds the entry where the receipt says, and continues the receipt's tree
    behind,  // the log is shorter than what was signed: not published yet, or taken back
    broken,  // it cannot become true any more
  };
  State state = State::behind;
  std::string what;  // is wrong, in words
};

struct Comparison {
  std::string checkpoint;  // the newest the server shows, signed by the log's key
  crypto::TreeHead tree;
  std::uint32_t cosignatures = 0;  // good ones, by the manifest's witnesses
  bool has_quorum = true;
  Kept seen;               // the checkpoint seen before, if there was one
  std::vector<Kept> kept;  // in the order of the promises
  Kept close;              // the final tree, if the polls are closed
};

struct CompareInput {
  const protocol::RecordSource& record;
  const protocol::Election& election;
  std::uint32_t shard = 0;
  std::string_view seen;  // a checkpoint of this log; empty: none
  std::span<const Promise> promises;
  std::optional<crypto::TreeHead> closed;  // the tree the polls were closed over
  // A server publishes soon, but not at once: how often to look again after a second.
  unsigned looks = 0;
  std::function<void(std::chrono::seconds)> sleep;  // empty: the calling thread sleeps
};

// compare reads the log's newest checkpoint, and from it what is needed of tiles and entries.
// Errc::environment: the server cannot be reached or lacks files; Errc::rejected or malformed: what
// it shows is not signed by the log's key, or does not fit what is, and proves nothing.
[[nodiscard]] Result<Comparison> compare(const CompareInput& input);

}  // namespace psephos::cli
