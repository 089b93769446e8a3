#include "cli/common.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <utility>

#include "psephos/codec.h"
#include "psephos/crypto/key_file.h"

#include "cli/output.h"
#include "cli/password_cost.h"

namespace psephos::cli {

namespace {

constexpr std::size_t kMaxPasswordBytes = 1024;
constexpr std::size_t kMaxMessageBytes = 65535;
constexpr auto kProgressInterval = std::chrono::milliseconds(100);

std::string full_name(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  if (parent == nullptr || parent->get_parent() == nullptr) {
    return app.get_name();
  }
  return full_name(*parent) + " " + app.get_name();
}

void say_error(const Context& context, std::string_view message) {
  complain("psephos " + context.command + ": " + printable(message) + "\n");
}

// Terminal is the controlling terminal, without echo while a password is typed. Signals by key are
// off meanwhile: a process that ended here would leave the terminal mute.
class Terminal {
 public:
  Terminal() : fd_(::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0) {
      return;
    }
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    usable_ = ::tcsetattr(fd_, TCSAFLUSH, &quiet) == 0;
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (usable_) {
      ::tcsetattr(fd_, TCSAFLUSH, &before_);
    }
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  [[nodiscard]] bool usable() const { return usable_; }

  Result<SecretBuffer> ask(const std::string& prompt) const {
    SecretBuffer line(kMaxPasswordBytes);
    const std::string shown = prompt + ": ";
    if (::write(fd_, shown.data(), shown.size()) < 0) {
      return fail(Errc::environment, "the terminal cannot be written to");
    }
    const ssize_t got = ::read(fd_, line.expose_secret().data(), line.size());
    if (::write(fd_, "\n", 1) < 0 || got <= 0) {
      return fail(Errc::environment, "no password could be read from the terminal");
    }
    ByteView typed = line.expose_secret().first(static_cast<std::size_t>(got));
    constexpr std::uint8_t kInterrupt = 3;  // what control-C types
    if (std::ranges::find(typed, kInterrupt) != typed.end()) {
      return fail(Errc::misuse, "no password was given");
    }
    if (typed.back() != '\n') {
      return fail(Errc::malformed,
                  "a password has at most " + std::to_string(kMaxPasswordBytes - 1) + " bytes");
    }
    return SecretBuffer(typed.first(typed.size() - 1));
  }

 private:
  int fd_;
  bool usable_ = false;
  termios before_{};
};

Result<SecretBuffer> password_from_file(const std::string& path) {
  PSEPHOS_TRY(Bytes content, runtime::read_file(path, kMaxPasswordBytes));
  ByteView text = content;
  // The end of a line, as any editor writes it.
  for (const std::uint8_t end : std::array<std::uint8_t, 2>{'\n', '\r'}) {
    if (!text.empty() && text.back() == end) {
      text = text.first(text.size() - 1);
    }
  }
  SecretBuffer password(text);
  const bool one_line = std::ranges::find(text, '\n') == text.end();
  wipe(content);
  if (password.size() == 0 || !one_line) {
    return fail(Errc::malformed,
                path + (one_line ? ": holds no password" : ": holds more than one line"));
  }
  return password;
}

Result<SecretBuffer> password_from_terminal(PasswordUse use, const std::string& what) {
  const Terminal terminal;
  if (!terminal.usable()) {
    return fail(Errc::misuse, what +
                                  ": needs a password: give it with --password-file, in the "
                                  "environment as PSEPHOS_PASSWORD, or at a terminal");
  }
  const bool is_new = use == PasswordUse::protect_new;
  PSEPHOS_TRY(SecretBuffer password,
              terminal.ask((is_new ? "New password for " : "Password of ") + what));
  if (is_new) {
    PSEPHOS_TRY(const SecretBuffer again, terminal.ask("The same password again"));
    if (!ct_equal(password.expose_secret(), again.expose_secret())) {
      return fail(Errc::misuse, what + ": the two passwords differ");
    }
  }
  return password;
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds);
  return std::to_string(whole / 60) + (whole % 60 < 10 ? ":0" : ":") + std::to_string(whole % 60);
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

}  // namespace

int exit_code(Errc code) {
  switch (code) {
    case Errc::malformed:
    case Errc::rejected:
      return kExitRejected;
    case Errc::misuse:
      return kExitUsage;
    case Errc::environment:
      return kExitEnvironment;
  }
  return kExitEnvironment;
}

void bind(CLI::App& app, Context& context, Action action) {
  app.callback([&app, &context, action = std::move(action)] {
    context.command = full_name(app);
    // The one place where exceptions of the standard library and of parsers end.
    try {
      const Result<int> result = action();
      if (!result.has_value()) {
        say_error(context, result.error().message);
      }
      context.result = result.has_value() ? *result : exit_code(result.error().code);
    } catch (const std::bad_alloc&) {
      say_error(context, "out of memory");
      context.result = kExitEnvironment;
    } catch (const std::exception& error) {
      say_error(context, error.what());
      context.result = kExitEnvironment;
    }
  });
}

Result<SecretBuffer> read_password(const Context& context, PasswordUse use,
                                   const std::string& what) {
  if (!context.password.has_value()) {
    if (!context.password_file.empty()) {
      PSEPHOS_TRY(context.password, password_from_file(context.password_file));
    } else if (const char* password = std::getenv("PSEPHOS_PASSWORD"); password != nullptr) {
      context.password.emplace(as_bytes(password));
    } else {
      PSEPHOS_TRY(context.password, password_from_terminal(use, what));
    }
  }
  if (use == PasswordUse::protect_new && context.password->size() == 0) {
    return fail(Errc::misuse, what + ": the password is empty");
  }
  return SecretBuffer(context.password->expose_secret());
}

Result<SecretBuffer> load_secret(const Context& context, const std::string& kind,
                                 const fs::path& path) {
  PSEPHOS_TRY(const Bytes file, runtime::read_file(path, kMaxInputBytes));
  PSEPHOS_TRY(const SecretBuffer password,
              read_password(context, PasswordUse::open_existing, path.string()));
  return in_file(path, crypto::open_file(kind, file, password));
}

Result<Bytes> sealed(Context& context, const std::string& kind, const fs::path& path,
                     const SecretBuffer& content) {
  PSEPHOS_TRY(const SecretBuffer password,
              read_password(context, PasswordUse::protect_new, path.string()));
  return in_file(path, crypto::seal_file(kind, content, password, password_cost(), context.random));
}

Result<void> save_secret(Context& context, const std::string& kind, const fs::path& path,
                         const SecretBuffer& content, Overwrite overwrite) {
  PSEPHOS_TRY(Bytes file, sealed(context, kind, path, content));
  if (overwrite == Overwrite::replace) {
    return runtime::write_file(path, file, runtime::FileMode::owner_only);
  }
  const NewFile output{path, std::move(file), runtime::FileMode::owner_only};
  return write_new_files(std::span(&output, 1));
}

Result<void> write_new_file(const fs::path& path, ByteView content) {
  const NewFile output{path, Bytes(content.begin(), content.end())};
  return write_new_files(std::span(&output, 1));
}

Result<void> check_new(std::span<const fs::path> paths) {
  std::set<fs::path> seen;
  for (const fs::path& path : paths) {
    if (!path.has_filename()) {
      return fail(Errc::misuse, "\"" + path.string() + "\" is not the name of a file");
    }
    if (is_there(path)) {
      return fail(Errc::misuse, path.string() + ": exists already; nothing is written over it");
    }
    if (!seen.insert(path.lexically_normal()).second) {
      return fail(Errc::misuse, path.string() + ": two outputs of this command have this name");
    }
  }
  return {};
}

Result<void> check_new(std::span<const fs::path> paths, std::span<const std::string> inputs) {
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto same = std::ranges::find(paths.first(i), paths[i]);
    if (same != paths.begin() + static_cast<std::ptrdiff_t>(i)) {
      return fail(Errc::misuse, inputs[static_cast<std::size_t>(same - paths.begin())] + " and " +
                                    inputs[i] + " would both be answered in " + paths[i].string() +
                                    "; rename one");
    }
  }
  return check_new(paths);
}

Result<void> write_new_files(std::span<const NewFile> files) {
  std::vector<fs::path> paths;
  for (const NewFile& file : files) {
    paths.push_back(file.path);
  }
  PSEPHOS_CHECK_OK(check_new(paths));
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (auto written = runtime::write_file(files[i].path, files[i].content, files[i].mode);
        !written.has_value()) {
      std::error_code ignored;
      for (std::size_t k = 0; k < i; ++k) {
        fs::remove(paths[k], ignored);
      }
      return in_file(files[i].path, written.error());
    }
  }
  return {};
}

Result<fs::path> new_directory(const fs::path& path) {
  fs::path name = path.lexically_normal();
  if (!name.has_filename()) {
    name = name.parent_path();  // "record/" means "record"
  }
  if (!name.has_filename() || name.filename() == "." || name.filename() == "..") {
    return fail(Errc::misuse, "\"" + path.string() + "\" is not the name of a directory to make");
  }
  std::error_code error;
  const bool is_directory = fs::is_directory(fs::symlink_status(name, error));
  if (is_there(name) && (!is_directory || !fs::is_empty(name, error))) {
    return fail(Errc::misuse, name.string() + ": exists already; nothing is written over it");
  }
  return name;
}

Building::Building(fs::path record)
    : record_(std::move(record)),
      building_((record_.has_parent_path() ? record_.parent_path() : fs::path(".")) /
                ("." + record_.filename().string() + "." + std::to_string(::getpid()) + ".new")) {}

Building::~Building() {
  std::error_code ignored;
  fs::remove_all(building_, ignored);
}

Result<void> Building::finish() {
  std::error_code error;
  fs::rename(building_, record_, error);  // over an empty directory, too
  if (error) {
    return fail(Errc::environment, record_.string() + ": cannot be made: " + error.message());
  }
  return {};
}

std::unexpected<Error> in_file(const fs::path& path, const Error& error) {
  if (error.message.find(path.string()) != std::string::npos) {
    return std::unexpected(error);
  }
  return within(path.string(), error);
}

Result<Lock> Lock::acquire(const fs::path& path) {
  while (true) {
    Lock lock(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat opened{};
    if (lock.fd_ < 0 || ::fstat(lock.fd_, &opened) != 0) {
      return fail(Errc::environment,
                  path.string() + ": cannot open: " + std::generic_category().message(errno));
    }
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) {
        return fail(Errc::misuse, path.string() +
                                      ": another psephos process is changing it; "
                                      "wait until it has finished");
      }
      return fail(Errc::environment,
                  path.string() + ": cannot lock: " + std::generic_category().message(errno));
    }
    // The former holder may have put a new file in this one's place.
    struct stat present{};
    if (::stat(path.c_str(), &present) == 0 && present.st_ino == opened.st_ino &&
        present.st_dev == opened.st_dev) {
      return lock;
    }
  }
}

Lock::Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Lock::~Lock() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Result<std::vector<protocol::Message>> read_messages(const fs::path& path) {
  PSEPHOS_TRY(const Bytes file, runtime::read_file(path, kMaxInputBytes));
  Reader in(file);
  std::vector<protocol::Message> messages;
  while (in.remaining() > 0) {
    const std::string place = path.string() + " message " + std::to_string(messages.size());
    const auto bytes = in.var(kMaxMessageBytes, "message");
    if (!bytes.has_value()) {
      return within(place, bytes.error());
    }
    auto message = protocol::Message::decode(*bytes);
    if (!message.has_value()) {
      return within(place, message.error());
    }
    messages.push_back(std::move(*message));
  }
  if (messages.empty()) {
    return fail(Errc::malformed, path.string() + ": holds no message");
  }
  return messages;
}

Bytes encode_messages(const std::vector<protocol::Message>& messages) {
  Writer out;
  for (const protocol::Message& message : messages) {
    out.var(message.encode());
  }
  return std::move(out).take();
}

Result<std::shared_ptr<const protocol::Manifest>> read_manifest(const fs::path& path) {
  PSEPHOS_TRY(const Bytes file, runtime::read_file(path, protocol::kMaxManifestBytes));
  PSEPHOS_TRY(protocol::Manifest manifest, in_file(path, protocol::Manifest::parse(file)));
  return std::make_shared<const protocol::Manifest>(std::move(manifest));
}

Result<void> require_no_witnesses(const fs::path& path, const protocol::Manifest& manifest) {
  if (manifest.witness_quorum == 0) {
    return {};
  }
  return fail(Errc::misuse, path.string() + ": witnesses.quorum is " +
                                std::to_string(manifest.witness_quorum) +
                                "; this tool makes no cosignatures, set it to 0");
}

Result<void> require_directory(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return {};
  }
  return fail(Errc::environment,
              path.string() + (fs::exists(path, error) ? ": is not a directory; a record is one"
                                                       : ": does not exist"));
}

Result<std::shared_ptr<protocol::MainLog>> load_main_log(const Context& context,
                                                         const runtime::DirectoryRecord& record) {
  PSEPHOS_CHECK_OK(require_directory(record.root()));
  return in_file(record.root(), protocol::read_main_log(record, context.evaluator));
}

Result<std::shared_ptr<const protocol::Election>> load_election(
    const Context& context, const runtime::DirectoryRecord& record) {
  PSEPHOS_TRY(const auto log, load_main_log(context, record));
  if (log->election() == nullptr) {
    return fail(Errc::misuse, record.root().string() +
                                  ": the election is not open yet; get the record again after "
                                  "`psephos election open`");
  }
  return log->election();
}

ProgressLine::ProgressLine(std::string what)
    : what_(std::move(what)),
      terminal_(::isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

ProgressLine::~ProgressLine() {
  if (terminal_ && last_ != start_) {
    complain("\r\033[K");
  }
}

void ProgressLine::update(std::uint64_t done, std::uint64_t all) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - last_ < kProgressInterval) {
    return;
  }
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done) / seconds;
  std::string line = what_ + " " + std::to_string(done);
  if (all != 0) {
    line += " of " + std::to_string(all);
  }
  line += ", " + std::to_string(static_cast<std::uint64_t>(rate)) + "/s";
  if (all > done && rate > 0) {
    line += ", " + duration(static_cast<double>(all - done) / rate) + " left";
  }
  complain("\r" + line + "\033[K");
}

protocol::Progress ProgressLine::callback() {
  return [this](std::uint64_t done, std::uint64_t all) { update(done, all); };
}

}  // namespace psephos::cli
