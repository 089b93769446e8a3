#include "src/server/config.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <system_error>

#include "psephos/bytes.h"
#include "psephos/network/url.h"
#include "psephos/protocol/manifest.h"
#include "psephos/runtime/directory.h"

#include "src/http/tls.h"

namespace psephos::server {

namespace fs = std::filesystem;
using protocol::Manifest;

namespace {

using namespace std::chrono_literals;

constexpr std::string_view kVariablePrefix = "PSEPHOSD_";
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::array kRoles{std::pair{"all", Role::all}, std::pair{"registrar", Role::registrar},
                            std::pair{"box", Role::box}, std::pair{"board", Role::board}};
constexpr std::array kLevels{std::pair{"debug", LogLevel::debug}, std::pair{"info", LogLevel::info},
                             std::pair{"warn", LogLevel::warn},
                             std::pair{"error", LogLevel::error}};

std::string in_quotes(std::string_view text) { return "\"" + printable(text) + "\""; }

template <class T>
std::optional<T> whole_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty()
             ? std::optional(value)
             : std::nullopt;
}

// --- forms of texts: each says what is wrong, or nothing
// -------------------------------------------

using Form = std::function<std::string(const std::string&)>;

bool is_ip(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

// The two halves of "127.0.0.1:80" or "[::1]:80".
std::optional<std::pair<std::string, std::string>> host_and_port(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) {
    return std::nullopt;
  }
  std::string host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
  }
  if (!is_ip(host) || (host.find(':') != std::string::npos) != bracketed) {
    return std::nullopt;
  }
  return std::pair(host, text.substr(colon + 1));
}

std::string address_form(const std::string& text) {
  const auto parts = host_and_port(text);
  return parts.has_value() && whole_number<std::uint16_t>(parts->second).has_value()
             ? ""
             : in_quotes(text) +
                   R"( is no address with a port, as "127.0.0.1:8080" or "[::1]:8080")";
}

std::string network_form(const std::string& text) {
  const auto slash = text.find('/');
  const std::string host = text.substr(0, slash);
  const unsigned bits = host.find(':') == std::string::npos ? 32 : 128;
  const auto length = slash == std::string::npos
                          ? std::optional<unsigned>(bits)
                          : whole_number<unsigned>(std::string_view(text).substr(slash + 1));
  return is_ip(host) && length.has_value() && *length <= bits
             ? ""
             : in_quotes(text) + R"( is no address or network, as "10.0.0.1" or "10.0.0.0/8")";
}

std::string url_form(const std::string& text) {
  const std::string_view rest = text.starts_with("https://")  ? std::string_view(text).substr(8)
                                : text.starts_with("http://") ? std::string_view(text).substr(7)
                                                              : std::string_view();
  const bool plain = std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
  return plain && !rest.empty() && rest.front() != '/' && rest.find('#') == std::string_view::npos
             ? ""
             : in_quotes(text) + R"( is no URL that begins with "https://" or "http://")";
}

// Sign-in over a network that anybody can read is none.
std::string issuer_form(const std::string& text) {
  if (auto wrong = url_form(text); !wrong.empty()) {
    return wrong;
  }
  const auto url = network::Url::parse(text);
  return text.starts_with("https://") || (url.has_value() && network::is_this_machine(url->host))
             ? ""
             : in_quotes(text) + " is not encrypted; use https:// (http:// only on this machine)";
}

std::string log_form(const std::string& text) {
  const auto slash = text.find('/');
  const std::string kind = text.substr(0, slash);
  const bool numbered = slash != std::string::npos && (kind == "box" || kind == "roll") &&
                        whole_number<std::uint32_t>(text.substr(slash + 1)).has_value();
  return text == "main" || numbered
             ? ""
             : in_quotes(text) + R"( is no log, as "main", "box/0" or "roll/0")";
}

std::string any_form(const std::string& text) { return text.empty() ? "must not be empty" : ""; }

bool is_loopback(const std::string& address) {
  const auto parts = host_and_port(address);
  return parts.has_value() && network::is_this_machine(parts->first);
}

std::optional<Duration> parse_duration(const std::string& text) {
  const auto digits = text.find_first_not_of("0123456789");
  const auto count = whole_number<std::uint32_t>(text.substr(0, digits));
  const std::string unit = digits == std::string::npos ? "" : text.substr(digits);
  const std::map<std::string, Duration> units{{"ms", 1ms}, {"s", 1s}, {"m", 1min}, {"h", 1h}};
  const auto found = units.find(unit);
  return count.has_value() && found != units.end() ? std::optional(*count * found->second)
                                                   : std::nullopt;
}

std::string show(Duration duration) {
  return duration % 1s == 0ms ? std::to_string(duration / 1s) + "s"
                              : std::to_string(duration.count()) + "ms";
}

// --- names
// ----------------------------------------------------------------------------------------

// How many letters have to be put in, left out or changed.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({change, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

// "; do you mean …?" if one of the names is near.
std::string suggestion(std::string_view wrong, const std::vector<std::string>& known) {
  const auto nearest = std::ranges::min_element(
      known, {}, [&](const std::string& name) { return distance(wrong, name); });
  return nearest != known.end() && distance(wrong, *nearest) <= 1 + wrong.size() / 4
             ? "; do you mean " + *nearest + "?"
             : "";
}

template <class Names>
std::string listed(const Names& names) {
  std::string text;
  for (const auto& [word, value] : names) {
    text += (text.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  }
  return text;
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a section";
    default:
      return "a date or time";
  }
}

// --- reading
// --------------------------------------------------------------------------------------

// Reader collects the problems of one file.
class Reader {
 public:
  Reader(const Path& file, const Environment& environment)
      : file_(file), environment_(environment) {}

  [[nodiscard]] std::string place(const toml::source_region& source) const {
    return source.begin.line == 0 ? file_.string()
                                  : file_.string() + ":" + std::to_string(source.begin.line) + ":" +
                                        std::to_string(source.begin.column);
  }
  void report(std::string where, std::string key, std::string message) {
    problems_.push_back({std::move(where), std::move(key), std::move(message)});
  }
  // The value of a variable, whose name is one that may be set.
  const std::string* variable(const std::string& name) {
    variables_.push_back(name);
    const auto found = environment_.find(name);
    return found == environment_.end() ? nullptr : &found->second;
  }
  void refuse_unknown_variables() {
    for (const auto& [name, value] : environment_) {
      if (std::ranges::find(variables_, name) == variables_.end()) {
        report(
            "environment", name,
            "no such setting, or one that is set in the file only" + suggestion(name, variables_));
      }
    }
  }
  [[nodiscard]] const Path& file() const { return file_; }
  ConfigProblems& problems() { return problems_; }

 private:
  Path file_;
  const Environment& environment_;
  std::vector<std::string> variables_;
  ConfigProblems problems_;
};

// Section reads the keys of one table; what it was not asked for is unknown.
class Section {
 public:
  // `table` may be null: nothing is set. An empty prefix: nothing can be overridden.
  Section(Reader& reader, const toml::table* table, std::string name, std::string variables)
      : reader_(&reader), table_(table), name_(std::move(name)), variables_(std::move(variables)) {}

  [[nodiscard]] std::string full(std::string_view key) const {
    return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
  }

  // Where a key is set, or would be.
  [[nodiscard]] std::string place(std::string_view key) const {
    const toml::node* found = table_ == nullptr ? nullptr : table_->get(key);
    if (found != nullptr) {
      return reader_->place(found->source());
    }
    return table_ == nullptr ? reader_->file().string() : reader_->place(table_->source());
  }
  void report(std::string_view key, std::string message) {
    reader_->report(place(key), full(key), std::move(message));
  }

  void text(std::string_view key, std::string& out, const Form& form = any_form) {
    if (const auto value = scalar(key, "a text"); value.has_value()) {
      check(key, value->place, form(value->text));
      out = value->text;
    }
  }

  void path(std::string_view key, Path& out) {
    if (const auto value = scalar(key, "a text"); value.has_value()) {
      const bool good = !value->text.empty() && value->text.find('\0') == std::string::npos;
      check(key, value->place, good ? "" : "is no path");
      out = (reader_->file().parent_path() / value->text).lexically_normal();
      if (!out.has_filename()) {
        out = out.parent_path();  // "record/": files beside it are made from its name
      }
    }
  }

  void need(std::string_view key, bool set) {
    if (!set && (table_ == nullptr || !table_->contains(key))) {
      report(key, "is missing");
    }
  }

  void integer(std::string_view key, std::uint32_t& out, std::uint32_t min, std::uint32_t max) {
    const auto value = scalar(key, "a whole number");
    if (!value.has_value()) {
      return;
    }
    const auto number = whole_number<std::int64_t>(value->text);
    if (number.has_value() && *number >= min && *number <= max) {
      out = static_cast<std::uint32_t>(*number);
    } else {
      reader_->report(value->place, full(key),
                      printable(value->text) + " is not between " + std::to_string(min) + " and " +
                          std::to_string(max));
    }
  }

  void rate(std::string_view key, double& out, double max) {
    const auto value = scalar(key, "a number");
    if (!value.has_value()) {
      return;
    }
    const auto number = whole_number<double>(value->text);
    if (number.has_value() && std::isfinite(*number) && *number >= 0 && *number <= max) {
      out = *number;
    } else {
      reader_->report(value->place, full(key),
                      printable(value->text) + " is not between 0 and " +
                          std::to_string(static_cast<std::uint64_t>(max)));
    }
  }

  void boolean(std::string_view key, bool& out) {
    if (const auto value = scalar(key, "true or false"); value.has_value()) {
      check(key, value->place,
            value->text == "true" || value->text == "false" ? "" : "must be true or false");
      out = value->text == "true";
    }
  }

  void duration(std::string_view key, Duration& out, Duration min, Duration max) {
    const auto value = scalar(key, "a text");
    if (!value.has_value()) {
      return;
    }
    const auto parsed = parse_duration(value->text);
    if (!parsed.has_value()) {
      reader_->report(
          value->place, full(key),
          in_quotes(value->text) + R"( is no duration, as "500ms", "10s", "5m" or "1h")");
    } else if (*parsed < min || *parsed > max) {
      reader_->report(
          value->place, full(key),
          in_quotes(value->text) + " is not between " + show(min) + " and " + show(max));
    } else {
      out = *parsed;
    }
  }

  // Returns whether the value is one of the names, or left as it was.
  template <class Names, class Value>
  bool choice(std::string_view key, Value& out, const Names& names) {
    const auto value = scalar(key, "a text");
    if (!value.has_value()) {
      return true;
    }
    const auto found = std::ranges::find(
        names, value->text, [](const auto& entry) { return std::string_view(entry.first); });
    if (found == names.end()) {
      reader_->report(value->place, full(key),
                      in_quotes(value->text) + " is none of " + listed(names));
      return false;
    }
    out = found->second;
    return true;
  }

  void texts(std::string_view key, std::vector<std::string>& out, const Form& form) {
    const toml::array* values = list(key);
    if (values == nullptr) {
      return;
    }
    out.clear();
    for (const toml::node& element : *values) {
      const std::string at = full(key) + "[" + std::to_string(out.size()) + "]";
      const auto* value = element.as_string();
      if (value == nullptr) {
        reader_->report(reader_->place(element.source()), at,
                        "must be a text, is " + std::string(type_name(element)));
      } else if (std::string wrong = form(value->get()); !wrong.empty()) {
        reader_->report(reader_->place(element.source()), at, wrong);
      } else if (std::ranges::find(out, value->get()) != out.end()) {
        reader_->report(reader_->place(element.source()), at,
                        in_quotes(value->get()) + " stands there twice");
      }
      out.push_back(value == nullptr ? "" : value->get());
    }
  }

  void integers(std::string_view key, std::vector<std::uint32_t>& out) {
    const toml::array* values = list(key);
    if (values == nullptr) {
      return;
    }
    for (const toml::node& element : *values) {
      const std::string at = full(key) + "[" + std::to_string(out.size()) + "]";
      const auto* value = element.as_integer();
      const std::int64_t number = value == nullptr ? -1 : value->get();
      if (number < 0 || number > std::numeric_limits<std::uint32_t>::max()) {
        reader_->report(reader_->place(element.source()), at, "must be a whole number from 0 on");
      } else if (std::ranges::find(out, static_cast<std::uint32_t>(number)) != out.end()) {
        reader_->report(reader_->place(element.source()), at,
                        std::to_string(number) + " stands there twice");
      }
      out.push_back(static_cast<std::uint32_t>(number));
    }
  }

  // The section below this one, if there is one.
  std::optional<Section> section(std::string_view key, const std::string& variables = "") {
    const toml::node* node = find(key);
    if (node != nullptr && !node->is_table()) {
      report(key, "must be a section, is " + std::string(type_name(*node)));
    }
    if (node == nullptr || !node->is_table()) {
      return std::nullopt;
    }
    return Section(*reader_, node->as_table(), full(key), variables);
  }

  // The sections of a list of sections.
  std::vector<Section> sections(std::string_view key) {
    std::vector<Section> found;
    const toml::array* values = list(key);
    for (std::size_t i = 0; values != nullptr && i < values->size(); ++i) {
      const toml::node& element = *values->get(i);
      const std::string at = full(key) + "[" + std::to_string(i) + "]";
      if (element.is_table()) {
        found.emplace_back(*reader_, element.as_table(), at, "");
      } else {
        reader_->report(reader_->place(element.source()), at,
                        "must be a section, is " + std::string(type_name(element)));
      }
    }
    return found;
  }

  [[nodiscard]] bool contains(std::string_view key) const {
    return table_ != nullptr && table_->contains(key);
  }
  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> names;
    if (table_ != nullptr) {
      for (const auto& [key, value] : *table_) {
        names.emplace_back(key.str());
      }
    }
    return names;
  }

  // To be called when every key was asked for.
  void refuse_unknown() {
    if (table_ == nullptr) {
      return;
    }
    for (const auto& [key, value] : *table_) {
      if (std::ranges::find(known_, key.str()) == known_.end()) {
        reader_->report(reader_->place(key.source()), full(printable(key.str())),
                        "no such key" + suggestion(key.str(), known_));
      }
    }
  }

 private:
  // A value as text, and where it stands.
  struct Scalar {
    std::string text;
    std::string place;
  };

  const toml::node* find(std::string_view key) {
    known_.emplace_back(key);
    return table_ == nullptr ? nullptr : table_->get(key);
  }

  const toml::array* list(std::string_view key) {
    const toml::node* node = find(key);
    if (node != nullptr && !node->is_array()) {
      report(key, "must be a list, is " + std::string(type_name(*node)));
    }
    return node == nullptr ? nullptr : node->as_array();
  }

  // The value of a key of this type; a problem with the file's is reported even if it is
  // overridden.
  std::optional<Scalar> scalar(std::string_view key, std::string_view type) {
    std::optional<Scalar> result;
    if (const toml::node* node = find(key); node != nullptr) {
      const std::string_view found = type_name(*node);
      const bool number = type == "a number" && (node->is_integer() || node->is_floating_point());
      if (found != type && !number) {
        report(key, "must be " + std::string(type) + ", is " + std::string(found));
      } else {
        result = Scalar{text_of(*node), reader_->place(node->source())};
      }
    }
    if (!variables_.empty()) {
      std::string variable = variables_ + std::string(key);
      std::ranges::transform(variable, variable.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      });
      if (const std::string* value = reader_->variable(variable); value != nullptr) {
        result = Scalar{*value, "environment variable " + variable};
      }
    }
    return result;
  }

  static std::string text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) {
      return text->get();
    }
    if (const auto* integer = node.as_integer()) {
      return std::to_string(integer->get());
    }
    if (const auto* number = node.as_floating_point()) {
      return std::to_string(number->get());
    }
    const auto* boolean = node.as_boolean();
    return boolean != nullptr && boolean->get() ? "true" : "false";
  }

  void check(std::string_view key, const std::string& where, std::string wrong) {
    if (!wrong.empty()) {
      reader_->report(where, full(key), std::move(wrong));
    }
  }

  Reader* reader_;
  const toml::table* table_;
  std::string name_;
  std::string variables_;
  std::vector<std::string> known_;
};

void need_both(Section& section, const Path& certificate, const Path& key) {
  if (certificate.empty() != key.empty()) {
    section.report(certificate.empty() ? "certificate" : "key",
                   "is missing: certificate and key are set both or not at all");
  }
}

void read_http(Section section, HttpConfig& http) {
  section.texts("listen", http.listen, address_form);
  if (http.listen.empty()) {
    section.report("listen", "must not be empty");
  }
  section.path("certificate", http.certificate);
  section.path("key", http.key);
  need_both(section, http.certificate, http.key);
  section.integer("threads", http.threads, 0, 1024);
  section.integer("max_connections", http.max_connections, 1, 1'000'000);
  section.integer("max_connections_per_client", http.max_connections_per_client, 1, 1'000'000);
  section.duration("header_timeout", http.header_timeout, 100ms, 10min);
  section.duration("body_timeout", http.body_timeout, 100ms, 10min);
  section.duration("idle_timeout", http.idle_timeout, 100ms, 1h);
  section.duration("write_timeout", http.write_timeout, 100ms, 10min);
  section.rate("rate_per_second", http.rate_per_second, 1e6);
  section.integer("rate_burst", http.rate_burst, 1, 1'000'000);
  section.texts("trusted_proxies", http.trusted_proxies, network_form);
  section.integer("max_event_listeners", http.max_event_listeners, 0, 1'000'000);
  section.refuse_unknown();
}

void read_admin(Section section, AdminConfig& admin) {
  section.text("listen", admin.listen, address_form);
  section.path("token_file", admin.token_file);
  section.path("certificate", admin.certificate);
  section.path("key", admin.key);
  section.path("client_ca", admin.client_ca);
  need_both(section, admin.certificate, admin.key);
  if (admin.token_file.empty() && admin.client_ca.empty()) {
    section.report("token_file", "is missing: set token_file, client_ca or both");
  }
  if (!admin.client_ca.empty() && admin.certificate.empty()) {
    section.report("client_ca", "needs certificate and key: client certificates come with TLS");
  }
  if (host_and_port(admin.listen).has_value() && !is_loopback(admin.listen) &&
      admin.certificate.empty()) {
    section.report("listen", in_quotes(admin.listen) +
                                 " is reached from outside: set certificate and key, or listen on "
                                 "127.0.0.1");
  }
  section.refuse_unknown();
}

void read_log(Section section, LogConfig& log) {
  section.choice("level", log.level, kLevels);
  std::string file = "-";
  section.text("file", file);
  if (file != "-") {
    section.path("file", log.file);
  }
  section.refuse_unknown();
}

void read_work(Section section, WorkConfig& work) {
  section.integer("threads", work.threads, 0, 1024);
  section.integer("queue", work.queue, 1, 1'000'000);
  section.integer("batch", work.batch, 1, 65'536);
  if (work.batch > work.queue) {
    section.report("batch", std::to_string(work.batch) + " is more than work.queue, " +
                                std::to_string(work.queue));
  }
  section.refuse_unknown();
}

// What every role with secrets has.
template <class Part>
void read_secrets(Section& section, Part& part) {
  section.path("store", part.store);
  section.need("store", !part.store.empty());
  section.path("key", part.key);
  section.need("key", !part.key.empty());
  section.path("password_file", part.password_file);
  section.need("password_file", !part.password_file.empty());
}

BoxConfig read_box(Section section) {
  BoxConfig box;
  read_secrets(section, box);
  section.integers("shards", box.shards);
  section.duration("export_interval", box.export_interval, 50ms, 1h);
  section.refuse_unknown();
  return box;
}

OidcConfig read_oidc(Section section) {
  OidcConfig oidc;
  section.text("issuer", oidc.issuer, issuer_form);
  section.need("issuer", !oidc.issuer.empty());
  section.text("client_id", oidc.client_id);
  section.need("client_id", !oidc.client_id.empty());
  section.text("scope", oidc.scope);
  section.text("resource", oidc.resource);
  section.text("claim", oidc.claim);
  section.duration("leeway", oidc.leeway, 0ms, 10min);
  section.path("ca_file", oidc.ca_file);
  section.refuse_unknown();
  return oidc;
}

RegistrarConfig read_registrar(Section& section) {
  RegistrarConfig registrar;
  section.integer("index", registrar.index, 0, 65'535);
  section.need("index", false);
  read_secrets(section, registrar);
  section.boolean("codes", registrar.codes);
  if (auto oidc = section.section("oidc")) {
    registrar.oidc = read_oidc(std::move(*oidc));
  }
  if (!registrar.codes && !section.contains("oidc")) {
    section.report("codes", "is false and there is no oidc section: nobody could enrol");
  }
  section.refuse_unknown();
  return registrar;
}

BoardConfig read_board(Section section) {
  BoardConfig board;
  std::set<std::string> logs;
  for (Section& entry : section.sections("mirrors")) {
    MirrorConfig mirror;
    entry.texts("logs", mirror.logs, log_form);
    if (mirror.logs.empty()) {
      entry.report("logs", "is missing: name the logs that are mirrored");
    }
    entry.text("url", mirror.url, url_form);
    entry.need("url", !mirror.url.empty());
    for (const std::string& log : mirror.logs) {
      if (!logs.insert(log).second) {
        entry.report("logs", in_quotes(log) + " is mirrored twice");
      }
    }
    entry.refuse_unknown();
    board.mirrors.push_back(std::move(mirror));
  }
  section.duration("poll", board.poll, 50ms, 1h);
  section.refuse_unknown();
  return board;
}

LiveConfig read_live(Section section) {
  LiveConfig live;
  section.integer("step", live.step, 1, 1'000'000);
  section.duration("interval", live.interval, 100ms, 1h);
  std::map<std::string, std::string> district_of;
  if (auto districts = section.section("districts")) {
    for (const std::string& district : districts->keys()) {
      std::vector<std::string>& styles = live.districts[district];
      districts->texts(district, styles, any_form);
      for (const std::string& style : styles) {
        const auto [other, added] = district_of.emplace(style, district);
        if (!added && other->second != district) {
          districts->report(district, "style " + in_quotes(style) + " is in district " +
                                          in_quotes(other->second) + " already");
        }
      }
    }
  }
  section.refuse_unknown();
  return live;
}

// What a role does not have: separate processes share nothing, and a section without effect is a
// misunderstanding.
void check_role(Section& section, Role role) {
  struct Rule {
    Role role;
    std::vector<std::string_view> needs;
    std::vector<std::string_view> refuses;
  };
  static const std::array<Rule, 4> kRules{{
      {Role::all, {"box", "registrar"}, {}},
      {Role::registrar, {"registrar"}, {"box", "board", "live"}},
      {Role::box, {"box"}, {"registrar", "board", "live"}},
      {Role::board, {"board"}, {"box", "registrar"}},
  }};
  const Rule& rule = *std::ranges::find(kRules, role, &Rule::role);
  const std::string role_name = in_quotes(name(role));
  for (const std::string_view key : rule.needs) {
    if (!section.contains(key)) {
      section.report(key, "is missing: role " + role_name + " needs this section");
    }
  }
  for (const std::string_view key : rule.refuses) {
    if (section.contains(key)) {
      section.report(key, "must not be here: role " + role_name +
                              " does not have this section; give it to the process whose it is");
    }
  }
}

ElectionConfig read_election(Section& section) {
  ElectionConfig election;
  section.path("record", election.record);
  section.need("record", !election.record.empty());
  if (auto box = section.section("box")) {
    election.box = read_box(std::move(*box));
  }
  for (Section& registrar : section.sections("registrar")) {
    RegistrarConfig read = read_registrar(registrar);
    if (registrar.contains("index") &&
        std::ranges::find(election.registrars, read.index, &RegistrarConfig::index) !=
            election.registrars.end()) {
      registrar.report("index",
                       "registrar " + std::to_string(read.index) + " has a section already");
    }
    election.registrars.push_back(std::move(read));
  }
  if (auto board = section.section("board")) {
    election.board = read_board(std::move(*board));
  }
  if (auto live = section.section("live")) {
    election.live = read_live(std::move(*live));
  }
  section.refuse_unknown();
  return election;
}

// A log has one writer: what this process keeps it does not copy from another. The main log is kept
// by every process that the authority hands it to; only a board may copy it instead.
void check_mirrors(Section& section, Role role, const ElectionConfig& election) {
  std::set<std::string> kept;
  if (role != Role::board) {
    kept.insert("main");
  }
  for (const RegistrarConfig& registrar : election.registrars) {
    kept.insert("roll/" + std::to_string(registrar.index));
  }
  const auto keeps = [&](const std::string& log) {
    if (kept.contains(log)) {
      return true;
    }
    if (!election.box.has_value() || !log.starts_with("box/")) {
      return false;
    }
    const std::vector<std::uint32_t>& shards = election.box->shards;
    const auto shard = whole_number<std::uint32_t>(log.substr(4));
    return shards.empty() || std::ranges::find(shards, shard) != shards.end();
  };
  for (const MirrorConfig& mirror : election.board.value_or(BoardConfig{}).mirrors) {
    for (const std::string& log : mirror.logs) {
      if (keeps(log)) {
        section.report("board", "mirrors " + in_quotes(log) + ", which this process keeps itself");
      }
    }
  }
}

// No two parts may have the same file as store or key, and no two elections the same record.
class Owners {
 public:
  void add(Section& section, const std::string& key, const Path& path) {
    if (path.empty()) {
      return;
    }
    const auto [owner, added] = owners_.emplace(path, section.full(key));
    if (!added) {
      section.report(key, path.string() + " is also " + owner->second + "; each has its own");
    }
  }

 private:
  std::map<Path, std::string> owners_;
};

void read_all(Reader& reader, const toml::table& root, std::optional<Role> role, Config& config) {
  Section top(reader, &root, "", std::string(kVariablePrefix));
  const bool role_known = top.choice("role", config.role, kRoles) || role.has_value();
  config.role = role.value_or(config.role);
  const auto section = [&](const std::string& key) {
    std::string variables = std::string(kVariablePrefix) + key + "_";
    auto found = top.section(key, variables);
    return found.has_value() ? *found : Section(reader, nullptr, key, variables);
  };
  read_http(section("http"), config.http);
  read_admin(section("admin"), config.admin);
  read_log(section("log"), config.log);
  read_work(section("work"), config.work);
  Owners owners;
  for (Section& entry : top.sections("election")) {
    ElectionConfig election = read_election(entry);
    if (role_known) {
      check_role(entry, config.role);
      if (reader.problems().empty()) {  // else numbers may be wrong
        check_mirrors(entry, config.role, election);
      }
    }
    owners.add(entry, "record", election.record);
    if (election.box.has_value()) {
      auto box = entry.section("box");
      owners.add(*box, "store", election.box->store);
      owners.add(*box, "key", election.box->key);
    }
    std::size_t number = 0;
    for (Section& registrar : entry.sections("registrar")) {
      owners.add(registrar, "store", election.registrars[number].store);
      owners.add(registrar, "key", election.registrars[number].key);
      ++number;
    }
    config.elections.push_back(std::move(election));
  }
  if (!top.contains("election")) {
    top.report("election", "is missing: add a section [[election]] for each election");
  }
  top.refuse_unknown();
  reader.refuse_unknown_variables();
}

// --- what the configuration names
// -----------------------------------------------------------------

enum class Secrecy : std::uint8_t { everybody, owner };

// FileChecker looks at files and collects what is wrong with them.
class FileChecker {
 public:
  explicit FileChecker(const Config& config) : place_(config.file.string()) {}

  void report(const std::string& key, const std::string& message) {
    problems_.push_back({place_, key, message});
  }

  // False: something is wrong. An empty path is none, and nothing is wrong with it.
  bool file(const std::string& key, const Path& path, Secrecy secrecy) {
    if (path.empty()) {
      return true;
    }
    const std::size_t before = problems_.size();
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
      report(key, path.string() + ": " + std::generic_category().message(errno));
    } else if (!S_ISREG(status.st_mode)) {
      report(key, path.string() + ": is not a file");
    } else if (::access(path.c_str(), R_OK) != 0) {
      report(key, path.string() + ": cannot be read: " + std::generic_category().message(errno));
    } else if (secrecy == Secrecy::owner && (status.st_mode & S_IRWXO) != 0) {
      report(key, path.string() +
                      ": everybody on this machine can use it; run chmod o= " + path.string());
    } else if (status.st_size == 0) {
      report(key, path.string() + ": is empty");
    }
    return problems_.size() == before;
  }

  bool directory(const std::string& key, const Path& path) {
    if (::access(path.c_str(), W_OK | X_OK) == 0) {
      return true;
    }
    report(key,
           path.string() + ": cannot be written in: " + std::generic_category().message(errno));
    return false;
  }

  // A record that can be written, as every role does; its manifest, if it has a good one.
  std::optional<Manifest> record(const std::string& key, const Path& path) {
    if (path.empty()) {
      return std::nullopt;
    }
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      report(key, path.string() + ": is no directory; it is made by `psephos election open`");
      return std::nullopt;
    }
    directory(key, path);
    for (const char* log : {"main", "box", "roll"}) {
      if (fs::is_directory(path / log, error)) {
        directory(key, path / log);
      }
    }
    bool whole = true;
    for (const char* name : {"manifest.json", "main/checkpoint"}) {
      if (!fs::is_regular_file(path / name, error)) {
        report(key, path.string() + ": is no record: it has no " + name);
        whole = false;
      } else {
        whole = file(key, path / name, Secrecy::everybody) && whole;
      }
    }
    if (!whole) {
      return std::nullopt;
    }
    const auto content = runtime::read_file(path / "manifest.json", protocol::kMaxManifestBytes);
    auto manifest = content.has_value() ? Manifest::parse(*content)
                                        : Result<Manifest>(std::unexpected(content.error()));
    if (!manifest.has_value()) {
      report(key, (path / "manifest.json").string() + ": " + manifest.error().message);
      return std::nullopt;
    }
    return *std::move(manifest);
  }

  // Certificate and key that OpenSSL takes.
  void tls(const std::string& section, const http::TlsFiles& files) {
    if (files.certificate.empty() || files.key.empty()) {
      return;
    }
    if (const auto made = http::make_tls_context(files); !made.has_value()) {
      report(section + ".certificate", made.error().message);
    }
  }

  // A file that may be made, written and locked.
  void writable(const std::string& key, const Path& path, Secrecy secrecy) {
    if (path.empty() || !directory(key, path.has_parent_path() ? path.parent_path() : ".")) {
      return;
    }
    std::error_code error;
    if (fs::exists(path, error)) {
      file(key, path, secrecy);
    }
  }

  ConfigProblems take() { return std::move(problems_); }

 private:
  std::string place_;
  ConfigProblems problems_;
};

// What the manifest must have for a configuration to make sense.
void check_parts(FileChecker& checker, const std::string& prefix, const ElectionConfig& election,
                 const Manifest& manifest) {
  const auto count = [](std::uint32_t number, const char* what) {
    return "the election has " + std::to_string(number) + " " + what + ", counted from 0";
  };
  if (election.box.has_value()) {
    for (const std::uint32_t shard : election.box->shards) {
      if (shard >= manifest.shards) {
        checker.report(prefix + ".box.shards", "there is no shard " + std::to_string(shard) + ": " +
                                                   count(manifest.shards, "shards"));
      }
    }
  }
  for (std::size_t k = 0; k < election.registrars.size(); ++k) {
    const std::uint32_t index = election.registrars[k].index;
    if (index >= manifest.num_registrars()) {
      checker.report(prefix + ".registrar[" + std::to_string(k) + "].index",
                     "there is no registrar " + std::to_string(index) + ": " +
                         count(manifest.num_registrars(), "registrars"));
    }
  }
  for (const MirrorConfig& mirror : election.board.value_or(BoardConfig{}).mirrors) {
    for (const std::string& log : mirror.logs) {
      const auto number = whole_number<std::uint32_t>(log.substr(log.find('/') + 1));
      const std::uint32_t there =
          log.starts_with("box/") ? manifest.shards : manifest.num_registrars();
      if (log != Manifest::main_log() && number.value_or(there) >= there) {
        checker.report(prefix + ".board.mirrors", "the election has no log " + in_quotes(log));
      }
    }
  }
  for (const auto& [district, styles] : election.live.districts) {
    for (const std::string& style : styles) {
      if (std::ranges::find(manifest.styles, style, &protocol::BallotStyle::id) ==
          manifest.styles.end()) {
        checker.report(prefix + ".live.districts." + printable(district),
                       "the election has no ballot style " + in_quotes(style));
      }
    }
  }
}

template <class Part>
void check_secrets(FileChecker& checker, const std::string& prefix, const Part& part) {
  checker.writable(prefix + ".store", part.store, Secrecy::owner);
  checker.file(prefix + ".key", part.key, Secrecy::owner);
  checker.file(prefix + ".password_file", part.password_file, Secrecy::owner);
}

}  // namespace

std::string_view name(Role role) {
  return std::ranges::find(kRoles, role, [](const auto& entry) { return entry.second; })->first;
}

std::optional<Role> role_of(std::string_view name) {
  const auto* const found = std::ranges::find(
      kRoles, name, [](const auto& entry) { return std::string_view(entry.first); });
  return found == kRoles.end() ? std::nullopt : std::optional(found->second);
}

std::string ConfigProblem::text() const {
  return place + ": " + (key.empty() ? "" : key + ": ") + message;
}

Environment environment_from(const char* const* variables) {
  Environment found;
  for (; *variables != nullptr; ++variables) {
    const std::string_view variable(*variables);
    const auto equals = variable.find('=');
    if (variable.starts_with(kVariablePrefix) && equals != std::string_view::npos) {
      found.emplace(variable.substr(0, equals), variable.substr(equals + 1));
    }
  }
  return found;
}

namespace {

struct Parsed {
  Config config;  // as far as it could be read
  ConfigProblems problems;
};

Parsed parse(std::string_view text, const Path& file, const Environment& environment,
             std::optional<Role> role) {
  Reader reader(file, environment);
  Config config;
  config.file = file;
  try {
    const toml::table root = toml::parse(text, file.string());
    read_all(reader, root, role, config);
  } catch (const toml::parse_error& error) {
    reader.report(reader.place(error.source()), "", printable(error.description()));
  }
  return {.config = std::move(config), .problems = std::move(reader.problems())};
}

std::expected<Config, ConfigProblems> good(Parsed parsed) {
  if (!parsed.problems.empty()) {
    return std::unexpected(std::move(parsed.problems));
  }
  return std::move(parsed.config);
}

Result<Bytes> read_text(const Path& file) { return runtime::read_file(file, kMaxFileBytes); }

ConfigProblems unreadable(const Error& error) { return {{"configuration", "", error.message}}; }

}  // namespace

std::expected<Config, ConfigProblems> parse_config(std::string_view text, const Path& file,
                                                   const Environment& environment,
                                                   std::optional<Role> role) {
  return good(parse(text, file, environment, role));
}

std::expected<Config, ConfigProblems> read_config(const Path& file, const Environment& environment,
                                                  std::optional<Role> role) {
  const auto content = read_text(file);
  if (!content.has_value()) {
    return std::unexpected(unreadable(content.error()));
  }
  return parse_config(as_text(*content), file, environment, role);
}

std::expected<Config, ConfigProblems> load_config(const Path& file, const Environment& environment,
                                                  std::optional<Role> role) {
  const auto content = read_text(file);
  if (!content.has_value()) {
    return std::unexpected(unreadable(content.error()));
  }
  Parsed parsed = parse(as_text(*content), file, environment, role);
  for (ConfigProblem& problem : check_config(parsed.config)) {
    parsed.problems.push_back(std::move(problem));
  }
  return good(std::move(parsed));
}

ByteView first_line(ByteView file) {
  const auto end =
      std::ranges::find_if(file, [](std::uint8_t c) { return c == '\n' || c == '\r'; });
  return file.first(static_cast<std::size_t>(end - file.begin()));
}

Result<std::string> read_token(const Path& file) {
  constexpr std::size_t kMaxTokenBytes = 1024;
  constexpr std::size_t kMinTokenBytes = 16;
  PSEPHOS_TRY(const Bytes content, runtime::read_file(file, kMaxTokenBytes));
  std::string token(as_text(first_line(content)));
  if (token.size() < kMinTokenBytes) {
    return fail(Errc::malformed, file.string() +
                                     ": the token has fewer than 16 characters; make one with "
                                     "`openssl rand -hex 32`");
  }
  return token;
}

ConfigProblems check_config(const Config& config) {
  FileChecker checker(config);
  const HttpConfig& http = config.http;
  const AdminConfig& admin = config.admin;
  bool good = checker.file("http.certificate", http.certificate, Secrecy::everybody);
  good = checker.file("http.key", http.key, Secrecy::owner) && good;
  if (good) {
    checker.tls("http", {http.certificate.string(), http.key.string(), "", false});
  }
  if (checker.file("admin.token_file", admin.token_file, Secrecy::owner) &&
      !admin.token_file.empty()) {
    if (const auto token = read_token(admin.token_file); !token.has_value()) {
      checker.report("admin.token_file", token.error().message);
    }
  }
  good = checker.file("admin.certificate", admin.certificate, Secrecy::everybody);
  good = checker.file("admin.key", admin.key, Secrecy::owner) && good;
  good = checker.file("admin.client_ca", admin.client_ca, Secrecy::everybody) && good;
  if (good) {
    checker.tls("admin",
                {admin.certificate.string(), admin.key.string(), admin.client_ca.string(), false});
  }
  if (config.log.file != "-") {
    checker.writable("log.file", config.log.file, Secrecy::everybody);
  }
  for (std::size_t i = 0; i < config.elections.size(); ++i) {
    const ElectionConfig& election = config.elections[i];
    const std::string prefix = "election[" + std::to_string(i) + "]";
    const auto manifest = checker.record(prefix + ".record", election.record);
    if (manifest.has_value()) {
      check_parts(checker, prefix, election, *manifest);
    }
    if (election.box.has_value() || !election.registrars.empty()) {
      // Where the marks of begun logs go.
      Path mark = election.record;
      mark += ".begun";
      checker.writable(prefix + ".record", mark, Secrecy::everybody);
    }
    if (election.box.has_value()) {
      check_secrets(checker, prefix + ".box", *election.box);
    }
    for (std::size_t k = 0; k < election.registrars.size(); ++k) {
      const RegistrarConfig& registrar = election.registrars[k];
      const std::string part = prefix + ".registrar[" + std::to_string(k) + "]";
      check_secrets(checker, part, registrar);
      if (registrar.oidc.has_value()) {
        checker.file(part + ".oidc.ca_file", registrar.oidc->ca_file, Secrecy::everybody);
      }
    }
  }
  return checker.take();
}

}  // namespace psephos::server
