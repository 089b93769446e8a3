#include "psephos/runtime/directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace psephos::runtime {

namespace fs = std::filesystem;

namespace {

// Descriptor closes a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  [[nodiscard]] int get() const { return fd_; }
  // close reports what a delayed write error may still say.
  [[nodiscard]] bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

std::unexpected<Error> system_error(const fs::path& path, std::string_view doing) {
  const int code = errno;
  return fail(Errc::environment, path.string() + ": cannot " + std::string(doing) + ": " +
                                     std::generic_category().message(code));
}

Result<void> sync_directory(const fs::path& directory) {
  const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) {
    return system_error(directory, "sync");
  }
  return {};
}

// Makes a directory and those above it, each durable in its parent.
Result<void> make_directory(const fs::path& directory) {
  std::error_code error;
  if (fs::is_directory(directory, error)) {
    return {};
  }
  const fs::path parent = directory.has_parent_path() ? directory.parent_path() : fs::path(".");
  if (parent != directory) {
    PSEPHOS_CHECK_OK(make_directory(parent));
  }
  fs::create_directory(directory, error);
  if (error) {
    return fail(Errc::environment,
                directory.string() + ": cannot make the directory: " + error.message());
  }
  return sync_directory(parent);
}

Result<void> write_all(int fd, ByteView content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      return system_error(path, "write");
    }
    content = content.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

// A path inside a record: relative, of plain names.
Result<fs::path> inside(const fs::path& root, const std::string& path) {
  const fs::path relative(path);
  const bool plain = !path.empty() && relative.is_relative() &&
                     std::ranges::none_of(relative, [](const fs::path& part) {
                       return part.empty() || part == "." || part == "..";
                     });
  if (!plain) {
    return fail(Errc::malformed, "\"" + path + "\" is no path inside a record");
  }
  return root / relative;
}

}  // namespace

Result<Bytes> read_file(const fs::path& path, std::size_t max) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) {
    return system_error(path, "open");
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) {
    return system_error(path, "read");
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::environment, path.string() + ": is not a file");
  }
  if (static_cast<std::uint64_t>(status.st_size) > max) {
    return fail(Errc::malformed, path.string() + ": is " + std::to_string(status.st_size) +
                                     " bytes long; at most " + std::to_string(max) +
                                     " are allowed here");
  }
  Bytes content(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t got = ::read(fd.get(), content.data() + done, content.size() - done);
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      return system_error(path, "read");
    }
    if (got == 0) {
      return fail(Errc::environment, path.string() + ": became shorter while it was read");
    }
    done += static_cast<std::size_t>(got);
  }
  return content;
}

Result<void> write_file(const fs::path& path, ByteView content, FileMode mode) {
  const fs::path directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
  PSEPHOS_CHECK_OK(make_directory(directory));
  std::string temporary = (directory / ("." + path.filename().string() + ".XXXXXX")).string();
  Descriptor fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (fd.get() < 0) {
    return system_error(directory, "write in");
  }
  const auto finish = [&]() -> Result<void> {
    if (::fchmod(fd.get(), mode == FileMode::owner_only ? 0600 : 0644) != 0) {
      return system_error(path, "set the permissions");
    }
    PSEPHOS_CHECK_OK(write_all(fd.get(), content, path));
    if (::fsync(fd.get()) != 0 || !fd.close()) {
      return system_error(path, "write");
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      return system_error(path, "replace");
    }
    return sync_directory(directory);
  };
  auto finished = finish();
  if (!finished.has_value()) {
    ::unlink(temporary.c_str());
  }
  return finished;
}

Result<Bytes> DirectoryRecord::read(const std::string& path, std::size_t max) const {
  PSEPHOS_TRY(const fs::path full, inside(root_, path));
  return read_file(full, max);
}

Result<std::vector<std::string>> DirectoryRecord::list() const {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator it(root_, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const fs::file_status status = it->symlink_status(error);
    if (error) {
      break;
    }
    if (fs::is_directory(status)) {
      continue;
    }
    const std::string path = it->path().lexically_relative(root_).generic_string();
    if (!fs::is_regular_file(status)) {
      return fail(Errc::malformed, path + ": is neither a file nor a directory");
    }
    files.push_back(path);
  }
  if (error) {
    return fail(Errc::environment, root_.string() + ": cannot be listed: " + error.message());
  }
  std::ranges::sort(files);
  return files;
}

bool DirectoryRecord::exists(const std::string& path) const {
  const auto full = inside(root_, path);
  std::error_code error;
  return full.has_value() && fs::is_regular_file(*full, error);
}

Result<void> DirectoryRecord::write(const std::string& path, ByteView content) {
  PSEPHOS_TRY(const fs::path full, inside(root_, path));
  return write_file(full, content);
}

Result<void> DirectoryRecord::remove(const std::string& path) {
  PSEPHOS_TRY(const fs::path full, inside(root_, path));
  if (::unlink(full.c_str()) != 0) {
    return system_error(full, "remove");
  }
  return {};
}

}  // namespace psephos::runtime
