// What all subcommands share: exit codes, files, passwords, output, progress.
//
// A subcommand is registered by its add_… function and runs as a callback that returns Result<int>;
// main turns an error into a message on standard error and an exit code. Nothing here is
// cryptography.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "psephos/bytes.h"
#include "psephos/crypto/batch_evaluator.h"
#include "psephos/error.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/manifest.h"
#include "psephos/protocol/verify.h"
#include "psephos/random.h"
#include "psephos/runtime/directory.h"
#include "psephos/runtime/thread_executor.h"
#include "psephos/secret.h"

namespace psephos::cli {

namespace fs = std::filesystem;

// Exit codes: the answer is yes; a check said no or the input is not what it should be; the command
// was used wrongly or at the wrong time; the machine did not do its part.
inline constexpr int kExitOk = 0;
inline constexpr int kExitRejected = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitEnvironment = 3;
[[nodiscard]] int exit_code(Errc code);

// The largest file a role reads besides a record's own: messages, cards, requests, ballots, keys.
inline constexpr std::size_t kMaxInputBytes = std::size_t{64} << 20;

// Context holds the options every subcommand has, and the machine it runs on.
struct Context {
  std::size_t threads = 0;
  bool json = false;
  std::string password_file;
  SystemRandom random;
  crypto::BatchEvaluator evaluator{random};
  int result = kExitOk;  // of the subcommand that ran
  std::string command;   // its name, for messages
  // The first password read: a command works under one password, and asks for it once.
  mutable std::optional<SecretBuffer> password;
};

// Action is a subcommand's work; bind makes it the callback of `app`.
using Action = std::function<Result<int>()>;
void bind(CLI::App& app, Context& context, Action action);

// Password: from --password-file, else from PSEPHOS_PASSWORD, else asked for on a terminal without
// echo (twice for a new file), else an error that says how to give one.
enum class PasswordUse : std::uint8_t { open_existing, protect_new };
[[nodiscard]] Result<SecretBuffer> read_password(const Context& context, PasswordUse use,
                                                 const std::string& what);

// Sealed key files: kind is "authority", "trustee", "registrar", "box" or "wallet". A new file is
// never written over an old one unless `replace` says so (the state of a wallet or trustee
// changes).
enum class Overwrite : std::uint8_t { refuse, replace };
[[nodiscard]] Result<SecretBuffer> load_secret(const Context& context, const std::string& kind,
                                               const fs::path& path);
[[nodiscard]] Result<void> save_secret(Context& context, const std::string& kind,
                                       const fs::path& path, const SecretBuffer& content,
                                       Overwrite overwrite);

// Public output files: refused if the file exists.
[[nodiscard]] Result<void> write_new_file(const fs::path& path, ByteView content);

// Several outputs of one command, all or none. check_new is for the start of a command:
// Errc::misuse if one of the paths exists, or stands there twice. write_new_files checks again, and
// takes back what it has written if a later file fails. sealed makes the content of a key file.
struct NewFile {
  fs::path path;
  Bytes content;
  runtime::FileMode mode = runtime::FileMode::shared;
};
[[nodiscard]] Result<void> check_new(std::span<const fs::path> paths);
// For outputs named after inputs: names the two inputs that would share one.
[[nodiscard]] Result<void> check_new(std::span<const fs::path> paths,
                                     std::span<const std::string> inputs);
[[nodiscard]] Result<void> write_new_files(std::span<const NewFile> files);
[[nodiscard]] Result<Bytes> sealed(Context& context, const std::string& kind, const fs::path& path,
                                   const SecretBuffer& content);

// new_directory: the name of a directory a command is to make, without a slash at the end.
// Errc::misuse if something else than an empty directory is there.
[[nodiscard]] Result<fs::path> new_directory(const fs::path& path);

// Building is a record being made: a directory under a hidden name beside the final one, whose
// place it takes in one step. Without finish it vanishes.
class Building {
 public:
  explicit Building(fs::path record);  // from new_directory
  Building(const Building&) = delete;
  Building& operator=(const Building&) = delete;
  ~Building();
  [[nodiscard]] const fs::path& path() const { return building_; }
  Result<void> finish();

 private:
  fs::path record_;
  fs::path building_;
};

// in_file puts the name of a file or record in front of an error's message that does not name it
// yet.
[[nodiscard]] std::unexpected<Error> in_file(const fs::path& path, const Error& error);
template <class T>
[[nodiscard]] Result<T> in_file(const fs::path& path, Result<T> result) {
  if (!result.has_value()) {
    return in_file(path, result.error());
  }
  return result;
}

// Lock keeps other psephos processes from changing a record's directory or a wallet at the same
// time. It is an advisory lock (flock) on the directory or file itself and leaves nothing behind.
class Lock {
 public:
  // Errc::misuse if another process holds it.
  static Result<Lock> acquire(const fs::path& path);
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  Lock(Lock&& other) noexcept;
  Lock& operator=(Lock&&) = delete;
  ~Lock();

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};

// The manifest in a file of its own.
[[nodiscard]] Result<std::shared_ptr<const protocol::Manifest>> read_manifest(const fs::path& path);

// require_no_witnesses: Errc::misuse for an election whose checkpoints need cosignatures, before
// anything is made that could never be verified.
[[nodiscard]] Result<void> require_no_witnesses(const fs::path& path,
                                                const protocol::Manifest& manifest);

// Message files: a sequence of var(message) (docs/spec.md §2.6).
[[nodiscard]] Result<std::vector<protocol::Message>> read_messages(const fs::path& path);
[[nodiscard]] Bytes encode_messages(const std::vector<protocol::Message>& messages);

// require_directory: Errc::environment unless a record's directory is there.
[[nodiscard]] Result<void> require_directory(const fs::path& path);
// The main log of a record in the making; the record's directory must exist.
[[nodiscard]] Result<std::shared_ptr<protocol::MainLog>> load_main_log(
    const Context& context, const runtime::DirectoryRecord& record);
// The election of a record; Errc::misuse before the opening.
[[nodiscard]] Result<std::shared_ptr<const protocol::Election>> load_election(
    const Context& context, const runtime::DirectoryRecord& record);

// ProgressLine writes "what 1234 of 36938, 120/s, 3:20 left" to standard error, at most ten times a
// second, if standard error is a terminal; else nothing.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what);
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine();
  void update(std::uint64_t done, std::uint64_t all);
  [[nodiscard]] protocol::Progress callback();

 private:
  std::string what_;
  bool terminal_;
  std::chrono::steady_clock::time_point start_;
  std::chrono::steady_clock::time_point last_;
};

// One add_… per area, called by main.
void add_admin(CLI::App& app, Context& context);
void add_manifest(CLI::App& app, Context& context);
void add_authority(CLI::App& app, Context& context);  // `authority new`, `election …`
void add_trustee(CLI::App& app, Context& context);
void add_registrar(CLI::App& app, Context& context);
void add_voter(CLI::App& app, Context& context);
void add_box(CLI::App& app, Context& context);
void add_log(CLI::App& app, Context& context);       // `log …`, `receipt check`, `refusal check`
void add_mirror(CLI::App& group, Context& context);  // `log mirror`
void add_verify(CLI::App& app, Context& context);
void add_export(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);

}  // namespace psephos::cli
