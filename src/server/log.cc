#include "src/server/log.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "psephos/version.h"

namespace psephos::server {

namespace {

constexpr std::size_t kMaxErrorText = 600;
constexpr std::size_t kBlotted = 32;

bool is_of_code(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
         c == '-' || c == '_' || c == '=';
}

// The text without what may be a code, a digest, a key or a token.
std::string blot(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const auto end = std::ranges::find_if_not(text, is_of_code);
    const auto run = static_cast<std::size_t>(end - text.begin());
    clean += run < kBlotted ? text.substr(0, run) : "[...]";
    const std::size_t taken = std::min(run + 1, text.size());
    clean += text.substr(run, taken - run);
    text.remove_prefix(taken);
  }
  return clean;
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view word(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

}  // namespace

std::string_view name(ErrorSource source) {
  using enum ErrorSource;
  switch (source) {
    case tls:
      return "TLS";
    case files:
      return "files";
    case record:
      return "record";
    case store:
      return "store";
    case identity_provider:
      return "identity provider";
  }
  return "unknown";
}

std::string_view name(AdminCall call) {
  using enum AdminCall;
  switch (call) {
    case extend_main:
      return "extend_main";
    case stop:
      return "stop";
    case resume:
      return "resume";
    case import_roll:
      return "import_roll";
  }
  return "unknown";
}

std::string_view name(CallOutcome outcome) {
  using enum CallOutcome;
  switch (outcome) {
    case done:
      return "done";
    case repeated:
      return "repeated";
    case refused:
      return "refused";
    case failed:
      return "failed";
  }
  return "unknown";
}

std::string_view name(Listener listener) {
  return listener == Listener::admin ? "admin" : "common";
}

std::string_view name(StopSignal signal) {
  return signal == StopSignal::interrupt ? "interrupt" : "terminate";
}

std::string_view name(Part part) {
  using enum Part;
  switch (part) {
    case http:
      return "http";
    case admin:
      return "admin";
    case box:
      return "box";
    case registrar:
      return "registrar";
  }
  return "unknown";
}

std::string_view name(network::Conflict::Kind kind) {
  using enum network::Conflict::Kind;
  switch (kind) {
    case older:
      return "older";
    case forked:
      return "forked";
    case unproven:
      return "unproven";
  }
  return "unknown";
}

SystemError::SystemError(ErrorSource source, const Error& error)
    : text_(std::string(name(source)) + ": ") {
  const bool sees_voters = source == ErrorSource::store || source == ErrorSource::identity_provider;
  if (sees_voters && error.code != Errc::environment) {
    text_ += name(error.code);
    return;
  }
  std::string text = blot(error.message);
  if (text.size() > kMaxErrorText) {
    text.resize(kMaxErrorText);
    text += "...";
  }
  text_ += text;
}

class Log::Sink {
 public:
  explicit Sink(LogConfig config) : config_(std::move(config)) {}

  Result<void> open() {
    const std::lock_guard lock(mutex_);
    try {
      spdlog::sink_ptr sink;
      if (config_.file == "-") {
        sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
      } else {
        sink = std::make_shared<spdlog::sinks::basic_file_sink_st>(config_.file.string());
      }
      auto logger = std::make_unique<spdlog::logger>("psephosd", std::move(sink));
      logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
          R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})", spdlog::pattern_time_type::utc, "\n"));
      logger->set_level(level_of(config_.level));
      logger->flush_on(spdlog::level::trace);
      logger_ = std::move(logger);
      return {};
    } catch (const spdlog::spdlog_ex& error) {
      return fail(Errc::environment, "log.file: " + std::string(error.what()));
    }
  }

  void write(LogLevel level, const std::string& line) {
    const std::lock_guard lock(mutex_);
    // Never as a format.
    logger_->log(level_of(level), spdlog::string_view_t(line));
  }

 private:
  const LogConfig config_;
  std::mutex mutex_;
  std::unique_ptr<spdlog::logger> logger_;
};

Log::Log(std::unique_ptr<Sink> sink) : sink_(std::move(sink)) {}
Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::create(const LogConfig& config) {
  auto sink = std::make_unique<Sink>(config);
  PSEPHOS_CHECK_OK(sink->open());
  return std::unique_ptr<Log>(new Log(std::move(sink)));
}

Result<void> Log::reopen() { return sink_->open(); }

std::string Log::render(std::uint64_t value) { return std::to_string(value); }

std::string Log::render(std::chrono::nanoseconds value) {
  std::array<char, 32> text{};
  const double in_seconds = std::chrono::duration<double>(value).count();
  const int size = std::snprintf(text.data(), text.size(), "%.6f", in_seconds);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::string Log::text(std::string_view value) {
  return nlohmann::json(value).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string Log::render(ThisVersion /*value*/) { return text(kVersion); }

void Log::write_line(const EventSpec& event, std::initializer_list<Rendered> fields) {
  std::string line = R"("level":")" + std::string(word(event.level)) + R"(","event":")" +
                     std::string(event.name) + '"';
  for (const Rendered& field : fields) {
    line += ",\"" + std::string(field.name) + "\":" + field.json;
  }
  sink_->write(event.level, line);
}

}  // namespace psephos::server
