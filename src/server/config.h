// The configuration of psephosd: one TOML file, checked as a whole, every problem named. Relative
// paths in it are seen from its directory.
//
// A value that is no list, in a section that is not [[election]], can be overridden by an
// environment variable PSEPHOSD_<SECTION>_<KEY>, PSEPHOSD_ROLE for the role:
// PSEPHOSD_HTTP_THREADS=8 for http.threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::server {

using Duration = std::chrono::milliseconds;
using Path = std::filesystem::path;

// A process is all of an election's server, or one part that shares nothing with the others.
enum class Role : std::uint8_t { all, registrar, box, board };
[[nodiscard]] std::string_view name(Role role);
[[nodiscard]] std::optional<Role> role_of(std::string_view name);

struct HttpConfig {
  std::vector<std::string> listen{"127.0.0.1:8080"};  // addresses with ports
  Path certificate;                                   // PEM; both or none
  Path key;
  std::uint32_t threads = 0;  // 0: one a core
  std::uint32_t max_connections = 10'000;
  std::uint32_t max_connections_per_client = 256;
  Duration header_timeout{10'000};
  Duration body_timeout{30'000};
  Duration idle_timeout{60'000};
  Duration write_timeout{30'000};
  double rate_per_second = 50;  // requests of one client; 0: no limit
  std::uint32_t rate_burst = 200;
  std::vector<std::string> trusted_proxies;  // addresses or networks
  std::uint32_t max_event_listeners = 10'000;
};

struct AdminConfig {
  std::string listen = "127.0.0.1:8081";
  Path token_file;
  Path certificate;
  Path key;
  Path client_ca;  // mutual TLS
};

enum class LogLevel : std::uint8_t { debug, info, warn, error };

struct LogConfig {
  LogLevel level = LogLevel::info;
  Path file = "-";  // "-": standard error
};

struct WorkConfig {
  std::uint32_t threads = 0;   // 0: one a core
  std::uint32_t queue = 4096;  // ballots waiting
  std::uint32_t batch = 512;   // ballots judged at once, at most
};

struct BoxConfig {
  Path store;
  Path key;
  Path password_file;
  std::vector<std::uint32_t> shards;  // empty: all
  Duration export_interval{1000};
};

struct OidcConfig {
  std::string issuer;
  std::string client_id;
  std::string scope = "openid";
  std::string resource;  // of access tokens; empty: ID tokens
  std::string claim = "sub";
  Duration leeway{60'000};
  Path ca_file;  // empty: the system's
};

struct RegistrarConfig {
  std::uint32_t index = 0;
  Path store;
  Path key;
  Path password_file;
  bool codes = true;
  std::optional<OidcConfig> oidc;
};

struct MirrorConfig {
  std::vector<std::string> logs;
  std::string url;
};

struct BoardConfig {
  std::vector<MirrorConfig> mirrors;  // logs of other processes
  Duration poll{1000};
};

struct LiveConfig {
  std::uint32_t step = 10;  // turnout is shown in multiples of this
  Duration interval{5000};
  std::map<std::string, std::vector<std::string>> districts;  // name -> styles
};

struct ElectionConfig {
  Path record;
  std::optional<BoxConfig> box;
  std::vector<RegistrarConfig> registrars;
  std::optional<BoardConfig> board;
  LiveConfig live;
};

struct Config {
  Path file;
  Role role = Role::all;
  HttpConfig http;
  AdminConfig admin;
  LogConfig log;
  WorkConfig work;
  std::vector<ElectionConfig> elections;
};

// A ConfigProblem names its place ("psephosd.toml:3:5", or an environment variable) and the whole
// name of the key.
struct ConfigProblem {
  std::string place;
  std::string key;  // "election[0].box.store"; empty: the file as a whole
  std::string message;
  [[nodiscard]] std::string text() const;  // "place: key: message"
};
using ConfigProblems = std::vector<ConfigProblem>;

// The variables of an environment whose names begin with PSEPHOSD_.
using Environment = std::map<std::string, std::string>;
[[nodiscard]] Environment environment_from(const char* const* variables);

// parse_config judges the text alone; `role` (of the command line) goes before all else.
// read_config reads the file first.
[[nodiscard]] std::expected<Config, ConfigProblems> parse_config(std::string_view text,
                                                                 const Path& file,
                                                                 const Environment& environment,
                                                                 std::optional<Role> role);
[[nodiscard]] std::expected<Config, ConfigProblems> read_config(const Path& file,
                                                                const Environment& environment,
                                                                std::optional<Role> role);

// check_config looks at what the configuration names: files are there and can be read, secrets not
// by everybody, certificates and keys fit, records are records, can be written, and have the parts
// that are named; there is a place for stores. Empty: nothing is wrong.
[[nodiscard]] ConfigProblems check_config(const Config& config);

// load_config reads and checks, and names the problems of both.
[[nodiscard]] std::expected<Config, ConfigProblems> load_config(const Path& file,
                                                                const Environment& environment,
                                                                std::optional<Role> role);

// A password or token is what stands in its file before the first line end.
[[nodiscard]] ByteView first_line(ByteView file);
// The administration's token; Errc::malformed: it is too short to keep anybody out.
[[nodiscard]] Result<std::string> read_token(const Path& file);

}  // namespace psephos::server
