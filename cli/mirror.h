// A record behind a URL and its copy in a directory: what `log mirror` and `verify` share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "psephos/network/mirror.h"

#include "cli/common.h"

namespace psephos::cli {

struct MirrorSource {
  std::string url;
  std::string election;           // hex; empty: whichever is there
  std::string ca_file;            // empty: the system's authorities
  std::vector<std::string> logs;  // empty: the whole record
};
// Adds --election and --ca; returns them.
std::vector<CLI::Option*> add_mirror_options(CLI::App& command, MirrorSource& source);

class MirroredRecord {
 public:
  // open makes the directory if it is not there, and locks it. Errc::misuse if something else than
  // a record is in it.
  static Result<std::unique_ptr<MirroredRecord>> open(const Context& context,
                                                      const MirrorSource& source,
                                                      const fs::path& directory);
  MirroredRecord(const MirroredRecord&) = delete;
  MirroredRecord& operator=(const MirroredRecord&) = delete;
  ~MirroredRecord();

  // update is Mirror::update with a progress line. Two checkpoints that contradict each other are
  // kept in files beside the directory, which the error's message names.
  Result<network::MirrorReport> update();

 private:
  class State;
  explicit MirroredRecord(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// keep_evidence writes a paper to a new file and returns its name, which has a number added if
// another paper is there under the one wanted; one with the same content will do.
[[nodiscard]] Result<fs::path> keep_evidence(const fs::path& wanted, const std::string& content);
// The name of what lies beside a file or directory: "record/" and ".conflict" make
// "record.conflict".
[[nodiscard]] fs::path beside(const fs::path& path, const std::string& ending);

// TemporaryDirectory is removed with all that is in it.
class TemporaryDirectory {
 public:
  static Result<std::unique_ptr<TemporaryDirectory>> create();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  explicit TemporaryDirectory(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

}  // namespace psephos::cli
