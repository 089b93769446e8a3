// One log of a record behind a URL, and its copy in a store.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "psephos/crypto/note.h"
#include "psephos/network/http_record.h"
#include "psephos/network/mirror.h"
#include "psephos/protocol/executor.h"
#include "psephos/protocol/log_files.h"
#include "psephos/protocol/storage.h"

namespace psephos::network {

// Staging is a store whose list leaves out full entry bundles, so that LogFiles does not clear away
// those that an update before this one fetched and had no checkpoint for.
class Staging final : public protocol::RecordStore {
 public:
  explicit Staging(protocol::RecordStore& store) : store_(&store) {}
  [[nodiscard]] Result<Bytes> read(const std::string& path, std::size_t max) const override;
  [[nodiscard]] Result<std::vector<std::string>> list() const override;
  [[nodiscard]] bool exists(const std::string& path) const override;
  Result<void> write(const std::string& path, ByteView content) override;
  Result<void> remove(const std::string& path) override;

 private:
  protocol::RecordStore* store_;
};

// sweep removes the files of a log that its checkpoint in the store does not need: all of them if
// there is none. `keep_bundles`: but for full entry bundles.
Result<void> sweep(protocol::RecordStore& store, const std::string& log, const std::string& origin,
                   bool keep_bundles);

class LogCopy {
 public:
  struct Places {
    const HttpRecord* source;
    protocol::RecordStore* store;
    protocol::Executor* executor;
    // Where evidence is left.
    std::optional<Conflict>* conflict;
    // Called after each bundle with the number of its new entries, and how many are still missing.
    std::function<void(std::uint64_t added, std::uint64_t missing)> progress;
    std::function<bool()> stop;  // may be empty; true: to end between two bundles
  };
  // Sees an entry; an error ends the staging.
  using Visit = std::function<Result<void>(std::uint64_t index, ByteView entry)>;

  // open reads and checks the whole copy, if there is one.
  static Result<std::unique_ptr<LogCopy>> open(Places places, std::string log,
                                               crypto::NoteVerifier key,
                                               std::span<const crypto::NoteVerifier> witnesses);

  // stage fetches the checkpoint and all new entries, and checks them; `visit` sees each. False if
  // neither server nor copy have the log. After an error the object is spent, unless nothing was
  // taken.
  Result<bool> stage(unsigned max_refetches, const Visit& visit);
  // publish makes visible what was staged.
  Result<void> publish();

  // Whether it holds nothing but what is published.
  [[nodiscard]] bool is_untouched() const { return !touched_; }
  // Entries under the copy's checkpoint.
  [[nodiscard]] std::uint64_t size() const {
    return published_.has_value() ? published_->tree.size : 0;
  }
  // Whether staging took a bundle from an earlier update instead of fetching it.
  [[nodiscard]] bool used_leftovers() const { return used_leftovers_; }

 private:
  struct Signed {
    std::string note;
    std::size_t num_signatures = 0;
    crypto::TreeHead tree;
  };

  LogCopy(Places places, std::string log, crypto::NoteVerifier key,
          std::span<const crypto::NoteVerifier> witnesses);
  [[nodiscard]] Result<Signed> judge(Bytes checkpoint) const;
  [[nodiscard]] Result<std::optional<Signed>> fetch_checkpoint() const;
  [[nodiscard]] Result<void> check_newer(const Signed& earlier, const Signed& later) const;
  Result<bool> follow(std::span<const Signed> heads, const Visit& visit);
  Result<std::optional<Bytes>> load(std::uint64_t index, std::uint64_t size);
  Result<void> take(std::span<const Signed> heads, std::uint64_t index, ByteView storage,
                    const Visit& visit);
  [[nodiscard]] std::optional<Conflict::Kind> compare(const Signed& earlier,
                                                      const Signed& later) const;
  [[nodiscard]] std::unexpected<Error> conflict(Conflict::Kind kind, const Signed& earlier,
                                                const Signed& later) const;
  [[nodiscard]] std::unexpected<Error> does_not_fit(std::span<const Signed> heads,
                                                    const std::string& what) const;
  [[nodiscard]] std::string path(const std::string& file) const { return log_ + "/" + file; }

  Places places_;
  std::string log_;
  crypto::NoteVerifier key_;
  std::vector<crypto::NoteVerifier> witnesses_;
  std::unique_ptr<Staging> staging_;
  std::optional<protocol::LogFiles> files_;
  std::optional<Signed> published_;
  std::optional<Signed> staged_;
  bool swept_ = false;
  bool touched_ = false;
  std::atomic<bool> used_leftovers_ = false;
};

}  // namespace psephos::network
