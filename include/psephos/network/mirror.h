// Copying a record that a server publishes, checked while it is copied, again and again while the
// election runs.
//
// What is checked is what a copy needs: every checkpoint is signed by its log's key and continues
// the one before, and the entries are those it was signed over. Tiles are made from the entries,
// not fetched. Result files, which nobody signs, are what the server has until they fit the main
// log. Whether the entries are a sound election is for `verify` to say (protocol/verify.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/crypto/relation.h"
#include "psephos/error.h"
#include "psephos/network/http_record.h"
#include "psephos/protocol/executor.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/storage.h"
#include "psephos/protocol/verify.h"

namespace psephos::network {

// Conflict is the evidence that a log does not continue what its key signed before: two
// checkpoints, each with a good signature.
struct Conflict {
  // older: the later one is over a beginning of the earlier one's entries; an old file was served,
  // or entries are to vanish. forked: no log can have both. unproven: the files that would lead
  // from one to the other do not fit, or are not to be had.
  enum class Kind : std::uint8_t { older, forked, unproven };
  std::string log;
  Kind kind = Kind::unproven;
  std::string earlier;  // signed notes, in the order they were seen
  std::string later;
};

struct MirroredLog {
  std::string log;
  std::uint64_t size = 0;
  std::uint64_t added = 0;  // by this update
};

struct MirrorReport {
  std::string title;
  protocol::MainLog::Phase phase = protocol::MainLog::Phase::empty;
  std::optional<Digest32> election_id;  // nothing before the opening
  std::vector<MirroredLog> logs;        // those the server has
  // The election has its result, and the copy its files, if it is one of the whole record.
  bool complete = false;
  // What is wrong with the first message of the main log that no election takes; empty: nothing.
  // What can be copied nevertheless has been.
  std::string fault;
};

struct MirrorOptions {
  std::optional<Digest32> election;  // copy no other
  // Copy these logs only ("main", "box/0"), and no result files; empty: the whole record. Without
  // "main", manifest and main log are somebody else's to bring: they must be in the store.
  std::vector<std::string> logs;
  protocol::Progress progress;  // entries copied by this update; in all: as far as known
  // How often a checkpoint is fetched again because the server has gone on meanwhile.
  unsigned max_refetches = 16;
  // Asked between two bundles: true ends the update, with Errc::environment. What was fetched is
  // not fetched again by a later one.
  std::function<bool()> stop;
};

class Mirror {
 public:
  // All that is passed by reference must outlive the mirror. Files are fetched in the executor's
  // tasks, as many at once as it runs (at most 16): its threads mostly wait for the network.
  Mirror(const HttpRecord& source, protocol::RecordStore& store, const crypto::Evaluator& evaluator,
         protocol::Executor& executor, MirrorOptions options);
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;
  ~Mirror();

  // update brings the copy to what the server has now. A log's new entries become visible in the
  // copy with the checkpoint over them and not before; an update that was stopped anywhere is taken
  // up by the next one, which does not fetch full bundles twice. A box or roll log that fails keeps
  // no other from being copied; the error is then the worst, with the words of all. Errc::rejected
  // or Errc::malformed: a file is not what was signed, or a log's history is another than the
  // copy's (see conflicts); the copy of that log stays as it was. Errc::environment: the server
  // cannot be reached, or lacks a file; or the store cannot be written. Errc::misuse: an election
  // is asked for and the record has no opening yet; or a log is asked for that it does not have.
  Result<MirrorReport> update();

  // The evidence behind the last update's Errc::rejected: at most one for each log that does not go
  // on from its copy.
  [[nodiscard]] const std::vector<Conflict>& conflicts() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace psephos::network
