// The published record of one election as a server has it: its directory, and the main log in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "psephos/crypto/relation.h"
#include "psephos/protocol/log_files.h"
#include "psephos/protocol/main_log.h"
#include "psephos/runtime/directory.h"

namespace psephos::server {

// ElectionRecord follows the main log, which the authority alone signs: what it hands in is judged
// by the same fold as in a verification, and becomes visible as a whole. May be used by several
// threads.
class ElectionRecord {
 public:
  // open reads a directory made by `psephos election open`. Errc::misuse before the opening.
  static Result<std::shared_ptr<ElectionRecord>> open(const std::filesystem::path& directory,
                                                      const crypto::Evaluator& evaluator);

  [[nodiscard]] runtime::DirectoryRecord& files() { return files_; }
  [[nodiscard]] const std::shared_ptr<const protocol::Election>& election() const {
    return election_;
  }
  [[nodiscard]] const protocol::Manifest& manifest() const { return election_->manifest(); }
  [[nodiscard]] const std::string& id() const { return id_; }  // the election id in hex

  [[nodiscard]] protocol::MainLog::Phase phase() const;
  // What the fold knows now.
  [[nodiscard]] std::shared_ptr<const protocol::MainLog> main_log() const;

  // The number of entries of a log as its published checkpoint says.
  [[nodiscard]] Result<std::uint64_t> published(const std::string& log) const;

  // extend takes entries of the main log from index `first` on and the checkpoint over them.
  // Entries that are there already must be the same: who lost an answer may send again.
  // Errc::rejected: an entry is refused, or the checkpoint is not the main log's over these
  // entries; then nothing was taken. Returns the number of new entries.
  Result<std::size_t> extend(std::uint64_t first, std::span<const Bytes> entries,
                             std::string_view checkpoint);
  // Services ask for a say in what the main log becomes: an error refuses the extension. To be
  // added before anything is served.
  using Guard = std::function<Result<void>(const protocol::MainLog& next)>;
  void add_guard(Guard guard) { guards_.push_back(std::move(guard)); }
  // Called after each extension, by the thread that brought it.
  using Follower = std::function<void(const protocol::MainLog& now)>;
  void add_follower(Follower follower) { followers_.push_back(std::move(follower)); }
  // A mirror brings the main log instead: a log has one writer, and extend refuses what is new. To
  // be said before anything is served. refresh folds what the mirror has written.
  void leave_to_mirror() { mirrored_ = true; }
  Result<void> refresh();
  // while_open does something that must not happen beside an extension, nor after the close.
  // Errc::misuse: the polls are closed.
  template <class Work>
  auto while_open(Work&& work) -> std::invoke_result_t<Work> {
    const std::lock_guard writing(writing_);
    PSEPHOS_CHECK_OK(catch_up());
    if (phase() > protocol::MainLog::Phase::voting) {
      return fail(Errc::misuse, "the polls are closed");
    }
    return std::forward<Work>(work)();
  }
  // The result files, once every tally has its result. Errc::rejected if they say another result
  // than the main log. Which ballot styles were opened together, where several were, is not in the
  // main log but follows from the ballots: that is for a verification to compare.
  Result<void> publish_result(std::string_view json, std::string_view csv);

 private:
  ElectionRecord(const std::filesystem::path& directory, const crypto::Evaluator& evaluator,
                 std::shared_ptr<const protocol::MainLog> log, std::uint64_t size);
  // Under writing_: the fold of the files, if they hold more than what was folded.
  Result<void> catch_up();
  void follow(const std::shared_ptr<const protocol::MainLog>& log, std::uint64_t size);

  runtime::DirectoryRecord files_;
  const crypto::Evaluator* evaluator_;
  std::shared_ptr<const protocol::Election> election_;
  std::string id_;
  std::vector<Guard> guards_;
  std::vector<Follower> followers_;
  std::mutex writing_;
  std::optional<protocol::LogFiles> log_files_;  // of the main log; none after an error
  std::uint64_t folded_;                         // entries of the main log in log_
  bool mirrored_ = false;
  bool unsure_ = false;  // whether what is visible in the files may not be durable
  mutable std::shared_mutex mutex_;
  std::shared_ptr<const protocol::MainLog> log_;
};

}  // namespace psephos::server
