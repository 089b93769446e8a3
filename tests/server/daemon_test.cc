// A whole server in this process, spoken to over sockets by several clients at once. It runs under
// the thread sanitizer.
#include "src/server/daemon.h"

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>
#include <tuple>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "psephos/crypto/key_file.h"
#include "psephos/network/http_client.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/runtime/directory.h"

#include "tests/http/raw_client.h"
#include "tests/record/forge.h"

namespace psephos::server {
namespace {

namespace fs = std::filesystem;
using network::HttpRequest;
using network::HttpResponse;
using protocol::Manifest;
using test::Forge;
using test::value;

constexpr std::size_t kMaxBody = std::size_t{1} << 20;
constexpr std::size_t kVoters = 12;
constexpr std::size_t kClients = 4;
constexpr std::string_view kToken = "a token for the tests of psephosd";

// An election whose opening is published, the keys of its box and registrars, and a server.
class DaemonTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "psephosd.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    runtime::DirectoryRecord record(directory_ / "record");
    for (const auto& [path, content] : forge_.publish()) {
      ASSERT_TRUE(record.write(path, content).has_value());
    }
    write("password", as_bytes("a password\n"));
    write("token", as_bytes(kToken));
    write_key("box", "box.key", forge_.box_keys->save());
    for (std::size_t r = 0; r < forge_.registrars.size(); ++r) {
      write_key("registrar", "registrar-" + std::to_string(r) + ".key",
                value(forge_.registrars[r].save()));
    }
    log_ = value(Log::create({.level = LogLevel::error, .file = directory_ / "log"}));
    client_ = value(network::BeastHttpClient::create({}));
    start();
  }
  void TearDown() override {
    daemon_.reset();
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  void write(const std::string& name, ByteView content) const {
    ASSERT_TRUE(
        runtime::write_file(directory_ / name, content, runtime::FileMode::owner_only).has_value());
  }
  void write_key(std::string_view kind, const std::string& name, const SecretBuffer& content) {
    const SecretBuffer password(as_bytes("a password"));
    write(name, value(crypto::seal_file(kind, content, password, crypto::PasswordCost::minimal,
                                        forge_.random)));
  }

  [[nodiscard]] Config config() const {
    Config config;
    config.http.listen = {"127.0.0.1:0"};
    config.http.rate_per_second = 0;
    config.admin.listen = "127.0.0.1:0";
    config.admin.token_file = directory_ / "token";
    config.work.batch = 4;
    ElectionConfig election;
    election.record = directory_ / "record";
    election.box = BoxConfig{.store = directory_ / "box.sqlite",
                             .key = directory_ / "box.key",
                             .password_file = directory_ / "password",
                             .shards = {},
                             .export_interval = Duration(20)};
    for (std::uint32_t r = 0; r < forge_.registrars.size(); ++r) {
      RegistrarConfig registrar;
      registrar.index = r;
      registrar.store = directory_ / ("registrar-" + std::to_string(r) + ".sqlite");
      registrar.key = directory_ / ("registrar-" + std::to_string(r) + ".key");
      registrar.password_file = directory_ / "password";
      election.registrars.push_back(registrar);
    }
    election.live = {.step = 1, .interval = Duration(20), .districts = {}};
    config.elections.push_back(std::move(election));
    return config;
  }
  void start() {
    daemon_ = value(Daemon::create(config(), {}, *log_));
    daemon_->start();
  }

  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(daemon_->port()) + path;
  }
  [[nodiscard]] std::string election(const std::string& path) const {
    return "/v1/elections/" + hex(forge_.election->id()) + path;
  }
  HttpResponse get(const std::string& path) {
    return value(client_->send(url(path), {}, kMaxBody));
  }
  HttpResponse post_ballot(const Bytes& ballot) {
    HttpRequest request;
    request.method = "POST";
    request.headers = {{"Content-Type", "application/octet-stream"}};
    request.body = ballot;
    request.repeatable = true;
    return value(client_->send(url(election("/ballots")), request, kMaxBody));
  }
  // Sends until it is taken: the box may be stopped for a while.
  std::string cast(const Bytes& ballot) {
    while (true) {
      const HttpResponse response = post_ballot(ballot);
      if (response.status != 503) {
        EXPECT_EQ(response.status, 200U) << as_text(response.body);
        return std::string(as_text(response.body));
      }
      std::this_thread::yield();
    }
  }
  HttpResponse administrate(const std::string& method, const std::string& path,
                            std::string_view body = {}) {
    HttpRequest request;
    request.method = method;
    request.headers = {{"Authorization", "Bearer " + std::string(kToken)}};
    request.body.assign(body.begin(), body.end());
    return value(client_->send("http://127.0.0.1:" + std::to_string(daemon_->admin_port()) + path,
                               request, kMaxBody));
  }

  std::vector<Bytes> make_ballots(std::size_t count) {
    std::vector<Bytes> ballots;
    for (std::size_t i = 0; i < count; ++i) {
      protocol::Wallet wallet = forge_.enrol(1);
      ballots.push_back(forge_.cast(wallet, {i % 2 == 0 ? "1" : "3"}));
    }
    return ballots;
  }
  // The trees of the box's and registrars' logs as they were published.
  [[nodiscard]] protocol::Close close_of_record() const {
    const runtime::DirectoryRecord record(directory_ / "record");
    const auto tree = [&](const std::string& log) {
      return value(protocol::LogReader::open(record, log, forge_.manifest->log_origin(log))).tree();
    };
    protocol::Close close;
    for (std::uint32_t s = 0; s < forge_.manifest->shards; ++s) {
      close.boxes.push_back(tree(Manifest::box_log(s)));
    }
    for (std::uint32_t r = 0; r < forge_.manifest->num_registrars(); ++r) {
      close.rolls.push_back(tree(Manifest::roll_log(r)));
    }
    return close;
  }
  // What is sent to have the main log go on with a message.
  [[nodiscard]] std::string extension(const protocol::Message& message) const {
    test::MemoryStore copy;
    const runtime::DirectoryRecord record(directory_ / "record");
    for (const std::string& path : value(record.list())) {
      if (path.starts_with("main/")) {
        EXPECT_TRUE(copy.write(path, value(record.read(path, kMaxBody))).has_value());
      }
    }
    auto writer = value(protocol::LogWriter::open(
        copy, Manifest::main_log(), value(forge_.authority->main_log_signer(*forge_.manifest))));
    const std::uint64_t index = value(writer.append(message.encode()));
    const std::string checkpoint = value(writer.publish());
    const auto reader = value(protocol::LogReader::open(
        copy, Manifest::main_log(), forge_.manifest->log_origin(Manifest::main_log())));
    const nlohmann::json json = {{"first", index},
                                 {"entries", {base64(value(reader.entry(index)))}},
                                 {"checkpoint", checkpoint}};
    return json.dump();
  }

  Forge forge_{test::small_manifest()};
  fs::path directory_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<network::HttpClient> client_;
  std::unique_ptr<Daemon> daemon_;
};

TEST_F(DaemonTest, ServesManyAtOnceWhileItIsAdministratedAndRestarted) {
  const std::vector<Bytes> ballots = make_ballots(kVoters);
  std::vector<std::string> receipts(ballots.size());
  std::vector<std::string> again(ballots.size());

  // Somebody follows from the beginning.
  test::RawClient follower(daemon_->port());
  ASSERT_TRUE(follower.connected());
  ASSERT_TRUE(follower.send("GET " + election("/events") +
                            " HTTP/1.1\r\nHost: localhost\r\n"
                            "Last-Event-ID: 0\r\n\r\n"));  // all there were
  EXPECT_EQ(test::status_of(follower.read_until("\r\n\r\n")), 200U);
  EXPECT_TRUE(follower.read_until("\n\n").contains("event: "));

  std::atomic<std::size_t> next = 0;
  std::atomic<bool> over = false;
  {
    std::vector<std::jthread> threads;
    for (std::size_t c = 0; c < kClients; ++c) {
      threads.emplace_back([&] {
        for (std::size_t i = next++; i < ballots.size(); i = next++) {
          receipts[i] = cast(ballots[i]);
          // The next may just be on its way from another client.
          again[i] = cast(ballots[(i + 1) % ballots.size()]);
        }
      });
    }
    threads.emplace_back([&] {
      while (!over) {
        EXPECT_EQ(administrate("POST", election("/stop")).status, 200U);
        EXPECT_EQ(administrate("POST", election("/resume")).status, 200U);
        daemon_->reload();
      }
    });
    threads.emplace_back([&] {
      while (!over) {
        EXPECT_EQ(administrate("GET", "/metrics").status, 200U);
        EXPECT_EQ(get("/v1/elections").status, 200U);
        EXPECT_EQ(get(election("")).status, 200U);
        EXPECT_EQ(get("/healthz").status, 200U);
        EXPECT_EQ(get(election("/record/box/0/checkpoint")).status, 200U);
      }
    });
    for (std::size_t c = 0; c < kClients; ++c) {
      threads[c].join();
    }
    over = true;
  }
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    EXPECT_EQ(again[i], receipts[(i + 1) % ballots.size()]);
  }
  // Turnout arrives at who follows.
  EXPECT_TRUE(follower.read_until("event: turnout").contains("event: turnout"));

  // Another process on the same stores.
  daemon_->stop(StopSignal::terminate);
  daemon_.reset();
  start();
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    EXPECT_EQ(cast(ballots[i]), receipts[i]);
  }

  // No close while ballots are taken; none of other logs; then no ballots after it.
  protocol::Close close = close_of_record();
  EXPECT_EQ(administrate("POST", election("/main"),
                         extension(forge_.authority->close(*forge_.election, close)))
                .status,
            409U);
  EXPECT_EQ(administrate("POST", election("/stop")).status, 200U);
  EXPECT_EQ(post_ballot(ballots[0]).status, 503U);
  close = close_of_record();
  std::uint64_t entries = 0;
  for (const crypto::TreeHead& tree : close.boxes) {
    entries += tree.size;
  }
  EXPECT_EQ(entries, ballots.size());
  const std::string closing = extension(forge_.authority->close(*forge_.election, close));
  EXPECT_EQ(administrate("POST", election("/main"), closing).status, 200U);
  EXPECT_EQ(administrate("POST", election("/main"), closing).status, 200U);  // the answer was lost
  EXPECT_EQ(post_ballot(ballots[0]).status, 409U);
  EXPECT_EQ(administrate("POST", election("/resume")).status, 409U);
}

TEST_F(DaemonTest, StopsWhileBallotsArrive) {
  const std::vector<Bytes> ballots = make_ballots(kVoters);
  std::vector<std::string> receipts(ballots.size());
  std::atomic<std::size_t> answered = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t c = 0; c < kClients; ++c) {
      threads.emplace_back([&, c] {
        for (std::size_t i = c; i < ballots.size(); i += kClients) {
          HttpRequest request;
          request.method = "POST";
          request.headers = {{"Content-Type", "application/octet-stream"}};
          request.body = ballots[i];
          const auto response = client_->send(url(election("/ballots")), request, kMaxBody);
          if (!response.has_value() || response->status != 200) {
            return;  // stopped
          }
          receipts[i] = as_text(response->body);
          ++answered;
        }
      });
    }
    while (answered == 0) {
      std::this_thread::yield();
    }
    daemon_->stop(StopSignal::interrupt);
  }
  daemon_.reset();
  start();
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    const std::string receipt = cast(ballots[i]);
    EXPECT_TRUE(receipts[i].empty() || receipts[i] == receipt);
  }
}

TEST_F(DaemonTest, IsDestroyedWithoutBeingStopped) {
  test::RawClient follower(daemon_->port());
  ASSERT_TRUE(follower.send("GET " + election("/events") + " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_TRUE(follower.read_until("\n\n").contains("200"));
  daemon_.reset();
  start();
  EXPECT_EQ(get("/healthz").status, 200U);
}

// A roll may have a gigabyte; nobody sends one before access was decided.
TEST_F(DaemonTest, BodiesForAdministratorsAreReadFromAdministrators) {
  test::RawClient stranger(daemon_->admin_port());
  ASSERT_TRUE(stranger.send("POST " + election("/registrars/0/roll") +
                            " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"));
  EXPECT_EQ(test::status_of(stranger.read_all()), 401U);
  EXPECT_TRUE(stranger.closed());
}

TEST_F(DaemonTest, PathsThatAskForNoBodyGetLittle) {
  HttpRequest request;
  request.method = "POST";
  request.body.resize(100'000);
  for (const char* path : {"/", "/healthz", "/nowhere"}) {
    EXPECT_EQ(value(client_->send(url(path), request, kMaxBody)).status, 413U) << path;
  }
  request.body.resize(65'535);
  EXPECT_EQ(post_ballot(request.body).status, 422U);
  request.body.resize(65'536);
  EXPECT_EQ(post_ballot(request.body).status, 413U);
}

TEST_F(DaemonTest, RefusesASecondServerOnTheSameStores) {
  const auto second = Daemon::create(config(), {}, *log_);
  ASSERT_FALSE(second.has_value());
  EXPECT_TRUE(second.error().message.contains("is in use by")) << second.error().message;
}

TEST_F(DaemonTest, RefusesKeysOfAnotherElection) {
  daemon_.reset();
  Forge other(test::small_manifest());
  write_key("box", "box.key", other.box_keys->save());
  EXPECT_FALSE(Daemon::create(config(), {}, *log_).has_value());
  write_key("registrar", "box.key", forge_.box_keys->save());
  EXPECT_FALSE(Daemon::create(config(), {}, *log_).has_value());
}

TEST_F(DaemonTest, RefusesAStoreThatWasLost) {
  const std::vector<Bytes> ballots = make_ballots(1);
  static_cast<void>(cast(ballots[0]));
  daemon_->stop(StopSignal::terminate);
  daemon_.reset();
  fs::remove(directory_ / "box.sqlite");
  const auto again = Daemon::create(config(), {}, *log_);
  ASSERT_FALSE(again.has_value());
  EXPECT_TRUE(again.error().message.contains("the store is missing")) << again.error().message;
}

}  // namespace
}  // namespace psephos::server
