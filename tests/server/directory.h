// A directory of a test's own, with the record of an election in it.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "psephos/runtime/directory.h"

#include "tests/record/forge.h"

namespace psephos::test {

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "psephosd.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("no temporary directory");
    }
    path_ = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const {
    return path_ / name;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  void write_record(const MemoryStore::Files& files) const {
    runtime::DirectoryRecord record(path_ / "record");
    for (const auto& [path, content] : files) {
      if (!record.write(path, content).has_value()) {
        throw std::runtime_error("cannot write " + path);
      }
    }
  }

 private:
  std::filesystem::path path_;
};

}  // namespace psephos::test
