// The configuration: what is read, and what is said about what is wrong.
#include "src/server/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/http/certificates.h"
#include "tests/protocol/election_fixture.h"

namespace psephos::server {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kElection = R"(
[admin]
token_file = "token"
[[election]]
record = "record"
[election.box]
store = "box.db"
key = "box.key"
password_file = "box.password"
[[election.registrar]]
index = 0
store = "registrar.db"
key = "registrar.key"
password_file = "registrar.password"
)";

constexpr std::string_view kEverything = R"(role = "all"
[http]
listen = ["127.0.0.1:8080", "[::1]:0"]
certificate = "tls/cert.pem"
key = "/etc/psephosd/key.pem"
threads = 3
max_connections = 1000
max_connections_per_client = 10
header_timeout = "500ms"
body_timeout = "20s"
idle_timeout = "2m"
write_timeout = "10s"
rate_per_second = 2.5
rate_burst = 7
trusted_proxies = ["10.0.0.0/8", "::1"]
max_event_listeners = 5000
[admin]
listen = "0.0.0.0:9000"
token_file = "token"
certificate = "cert"
key = "key"
client_ca = "ca"
[log]
level = "warn"
file = "log.json"
[work]
threads = 2
queue = 100
batch = 50
[[election]]
record = "../record"
[election.box]
store = "box.db"
key = "box.key"
password_file = "box.password"
shards = [0, 2]
export_interval = "2s"
[[election.registrar]]
index = 1
store = "registrar.db"
key = "registrar.key"
password_file = "registrar.password"
codes = false
[election.registrar.oidc]
issuer = "https://id.example/realm"
client_id = "wallet"
scope = "openid roll"
resource = "https://vote.example"
claim = "voter"
leeway = "30s"
ca_file = "ca.pem"
[election.board]
mirrors = [ { logs = ["box/1", "roll/0"], url = "http://10.0.0.2:8080/record/" } ]
poll = "3s"
[election.live]
step = 25
interval = "10s"
[election.live.districts]
"North" = ["a", "b"]
"South" = ["c"]
)";

std::string all_text(const ConfigProblems& problems) {
  std::string text;
  for (const ConfigProblem& problem : problems) {
    text += problem.text() + "\n";
  }
  return text;
}

// kElection with one line in place of another, or behind it.
std::string with(std::string text, std::string_view old, std::string_view replacement) {
  const auto at = text.find(old);
  EXPECT_NE(at, std::string::npos) << old;
  return text.replace(at, old.size(), replacement);
}

std::expected<Config, ConfigProblems> parse(std::string_view text,
                                            const Environment& environment = {},
                                            std::optional<Role> role = std::nullopt) {
  return parse_config(text, "/etc/psephosd/server.toml", environment, role);
}

TEST(Config, ReadsEverything) {
  const auto config = parse(kEverything);
  ASSERT_TRUE(config.has_value()) << all_text(config.error());
  EXPECT_EQ(config->role, Role::all);
  EXPECT_EQ(config->http.listen, (std::vector<std::string>{"127.0.0.1:8080", "[::1]:0"}));
  EXPECT_EQ(config->http.certificate, "/etc/psephosd/tls/cert.pem");
  EXPECT_EQ(config->http.key, "/etc/psephosd/key.pem");
  EXPECT_EQ(config->http.threads, 3U);
  EXPECT_EQ(config->http.max_connections, 1000U);
  EXPECT_EQ(config->http.max_connections_per_client, 10U);
  EXPECT_EQ(config->http.header_timeout, 500ms);
  EXPECT_EQ(config->http.body_timeout, 20s);
  EXPECT_EQ(config->http.idle_timeout, 2min);
  EXPECT_EQ(config->http.write_timeout, 10s);
  EXPECT_EQ(config->http.rate_per_second, 2.5);
  EXPECT_EQ(config->http.rate_burst, 7U);
  EXPECT_EQ(config->http.trusted_proxies, (std::vector<std::string>{"10.0.0.0/8", "::1"}));
  EXPECT_EQ(config->http.max_event_listeners, 5000U);
  EXPECT_EQ(config->admin.listen, "0.0.0.0:9000");
  EXPECT_EQ(config->admin.client_ca, "/etc/psephosd/ca");
  EXPECT_EQ(config->log.level, LogLevel::warn);
  EXPECT_EQ(config->log.file, "/etc/psephosd/log.json");
  EXPECT_EQ(config->work.threads, 2U);
  EXPECT_EQ(config->work.queue, 100U);
  EXPECT_EQ(config->work.batch, 50U);
  ASSERT_EQ(config->elections.size(), 1U);
  const ElectionConfig& election = config->elections[0];
  EXPECT_EQ(election.record, "/etc/record");
  EXPECT_EQ(election.box->store, "/etc/psephosd/box.db");
  EXPECT_EQ(election.box->key, "/etc/psephosd/box.key");
  EXPECT_EQ(election.box->password_file, "/etc/psephosd/box.password");
  EXPECT_EQ(election.box->shards, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(election.box->export_interval, 2s);
  EXPECT_EQ(election.registrars[0].index, 1U);
  EXPECT_FALSE(election.registrars[0].codes);
  EXPECT_EQ(election.registrars[0].oidc->issuer, "https://id.example/realm");
  EXPECT_EQ(election.registrars[0].oidc->client_id, "wallet");
  EXPECT_EQ(election.registrars[0].oidc->scope, "openid roll");
  EXPECT_EQ(election.registrars[0].oidc->resource, "https://vote.example");
  EXPECT_EQ(election.registrars[0].oidc->claim, "voter");
  EXPECT_EQ(election.registrars[0].oidc->leeway, 30s);
  EXPECT_EQ(election.registrars[0].oidc->ca_file, "/etc/psephosd/ca.pem");
  ASSERT_EQ(election.board->mirrors.size(), 1U);
  EXPECT_EQ(election.board->mirrors[0].logs, (std::vector<std::string>{"box/1", "roll/0"}));
  EXPECT_EQ(election.board->mirrors[0].url, "http://10.0.0.2:8080/record/");
  EXPECT_EQ(election.board->poll, 3s);
  EXPECT_EQ(election.live.step, 25U);
  EXPECT_EQ(election.live.interval, 10s);
  EXPECT_EQ(election.live.districts.at("North"), (std::vector<std::string>{"a", "b"}));
}

// "record.turnout" stands beside "record/", not in it; and the two are one record.
TEST(Config, PathsEndInAName) {
  for (const char* written : {"record/", "record/.", "./record//"}) {
    const auto config =
        parse(with(std::string(kElection), "\"record\"", '"' + std::string(written) + '"'));
    ASSERT_TRUE(config.has_value()) << all_text(config.error());
    EXPECT_EQ(config->elections[0].record, "/etc/psephosd/record");
  }
}

TEST(Config, HasDefaults) {
  const auto config = parse(kElection);
  ASSERT_TRUE(config.has_value()) << all_text(config.error());
  EXPECT_EQ(config->role, Role::all);
  EXPECT_EQ(config->http.listen, std::vector<std::string>{"127.0.0.1:8080"});
  EXPECT_EQ(config->admin.listen, "127.0.0.1:8081");
  EXPECT_EQ(config->log.file, "-");
  EXPECT_EQ(config->work.queue, 4096U);
  EXPECT_EQ(config->work.batch, 512U);
  EXPECT_TRUE(config->elections[0].registrars[0].codes);
  EXPECT_FALSE(config->elections[0].registrars[0].oidc.has_value());
  EXPECT_FALSE(config->elections[0].board.has_value());
  EXPECT_EQ(config->elections[0].live.step, 10U);
}

TEST(Config, IsOverriddenByTheEnvironment) {
  const auto config = parse(kEverything, {{"PSEPHOSD_HTTP_THREADS", "8"},
                                          {"PSEPHOSD_HTTP_IDLE_TIMEOUT", "5s"},
                                          {"PSEPHOSD_HTTP_RATE_PER_SECOND", "0.5"},
                                          {"PSEPHOSD_ADMIN_TOKEN_FILE", "/run/token"},
                                          {"PSEPHOSD_LOG_LEVEL", "debug"},
                                          {"PSEPHOSD_LOG_FILE", "-"}});
  ASSERT_TRUE(config.has_value()) << all_text(config.error());
  EXPECT_EQ(config->http.threads, 8U);
  EXPECT_EQ(config->http.idle_timeout, 5s);
  EXPECT_EQ(config->http.rate_per_second, 0.5);
  EXPECT_EQ(config->admin.token_file, "/run/token");
  EXPECT_EQ(config->log.level, LogLevel::debug);
  EXPECT_EQ(config->log.file, "-");
  // Sections that the file does not have.
  const auto work = parse(kElection, {{"PSEPHOSD_WORK_QUEUE", "1000"}});
  ASSERT_TRUE(work.has_value()) << all_text(work.error());
  EXPECT_EQ(work->work.queue, 1000U);
}

TEST(Config, RefusesVariablesThatMeanNothing) {
  const std::vector<std::pair<Environment, std::vector<std::string>>> cases{
      {{{"PSEPHOSD_HTTP_THREAD", "8"}},
       {"PSEPHOSD_HTTP_THREAD: no such setting", "do you mean PSEPHOSD_HTTP_THREADS?"}},
      {{{"PSEPHOSD_HTTP_LISTEN", "127.0.0.1:1"}}, {"PSEPHOSD_HTTP_LISTEN", "in the file only"}},
      {{{"PSEPHOSD_ELECTION_RECORD", "x"}}, {"PSEPHOSD_ELECTION_RECORD"}},
      {{{"PSEPHOSD_HTTP_THREADS", "many"}},
       {"environment variable PSEPHOSD_HTTP_THREADS: http.threads: many is not between"}},
      {{{"PSEPHOSD_HTTP_THREADS", ""}}, {"PSEPHOSD_HTTP_THREADS"}},
      {{{"PSEPHOSD_HTTP_RATE_PER_SECOND", "nan"}}, {"http.rate_per_second: nan"}},
      {{{"PSEPHOSD_HTTP_THREADS", "1\x1b[2J"}}, {"\\x1b"}},
      {{{"PSEPHOSD_ROLE", "boss"}}, {"PSEPHOSD_ROLE: role: \"boss\" is none of \"all\""}},
  };
  for (const auto& [environment, words] : cases) {
    const auto config = parse(kElection, environment);
    ASSERT_FALSE(config.has_value()) << environment.begin()->first;
    EXPECT_EQ(config.error().size(), 1U) << all_text(config.error());
    for (const std::string& word : words) {
      EXPECT_NE(all_text(config.error()).find(word), std::string::npos) << all_text(config.error());
    }
  }
  const char* const variables[] = {"PATH=/bin",   "PSEPHOSD_ROLE=box", "PSEPHOSD_X",
                                   "PSEPHOS_Y=1", "PSEPHOSD_Z=a=b",    nullptr};
  EXPECT_EQ(environment_from(variables),
            (Environment{{"PSEPHOSD_ROLE", "box"}, {"PSEPHOSD_Z", "a=b"}}));
}

struct BadConfig {
  std::string old;  // of kEverything
  std::string replacement;
  std::vector<std::string> words;
  std::size_t problems = 1;
};

TEST(Config, SaysWhatIsWrong) {
  const std::vector<BadConfig> cases{
      // Syntax: the parser stops there.
      {"threads = 3", "threads = ", {"server.toml:6:"}},
      {"threads = 3", "threads = 3\nthreads = 4", {"server.toml:7:"}},
      {"[log]", "[http]", {"server.toml:"}},
      // Names.
      {"threads = 3",
       "thread = 3",
       {"/etc/psephosd/server.toml:6:1: http.thread: no such key; do you mean threads?"}},
      {"[http]", "[https]", {"server.toml:2:2: https: no such key; do you mean http?"}},
      {"role = \"all\"", "rolle = \"all\"", {"server.toml:1:1: rolle", "do you mean role?"}},
      {"[[election]]",
       "[[elections]]",
       {"elections: no such key; do you mean election?", "election: must be a list"},
       2},
      {"codes = false", "colour = 1", {"election[0].registrar[0].colour: no such key"}},
      {"claim = ", "claims = ", {"election[0].registrar[0].oidc.claims", "do you mean claim?"}},
      {", url = ",
       ", uri = ",
       {"election[0].board.mirrors[0].uri", "mirrors[0].url: is missing"},
       2},
      {"step = 25", "\"\\u001b[2J\" = 25", {"\\x1b[2J: no such key"}},
      // Types.
      {"threads = 3",
       "threads = \"3\"",
       {"server.toml:6:11: http.threads: must be a whole number, is a text"}},
      {"threads = 3", "threads = 3.5", {"must be a whole number, is a number with a point"}},
      {"rate_per_second = 2.5", "rate_per_second = true", {"must be a number, is true or false"}},
      {"codes = false",
       "codes = 0",
       {"registrar[0].codes: must be true or false, is a whole number"}},
      {"\"10s\"", "10", {"write_timeout: must be a text, is a whole number"}},
      {"listen = [\"127.0.0.1:8080\", \"[::1]:0\"]",
       "listen = \"127.0.0.1:8080\"",
       {"http.listen: must be a list, is a text"}},
      {"\"10.0.0.0/8\", ", "7, ", {"http.trusted_proxies[0]: must be a text, is a whole number"}},
      {"[work]\nthreads = 2\nqueue = 100\nbatch = 50", "[[work]]", {"work: must be a section"}},
      {"level = \"warn\"", "level = 2024-01-01", {"must be a text, is a date or time"}},
      {"\"North\" = [\"a\", \"b\"]", "\"North\" = \"a\"", {"districts.North: must be a list"}},
      {"mirrors = [ {", "mirrors = [ 1, {", {"mirrors[0]: must be a section"}},
      // Ranges and forms.
      {"threads = 3", "threads = -1", {"http.threads: -1 is not between 0 and 1024"}},
      {"threads = 3", "threads = 9223372036854775807", {"is not between 0 and 1024"}},
      {"max_connections = 1000", "max_connections = 0", {"http.max_connections: 0 is not between"}},
      {"rate_per_second = 2.5", "rate_per_second = nan", {"rate_per_second"}},
      {"rate_per_second = 2.5", "rate_per_second = -1", {"rate_per_second"}},
      {"rate_per_second = 2.5", "rate_per_second = inf", {"rate_per_second"}},
      {"\"500ms\"", "\"500\"", {"header_timeout: \"500\" is no duration"}},
      {"\"500ms\"", "\"-5s\"", {"is no duration"}},
      {"\"500ms\"", "\"5 s\"", {"is no duration"}},
      {"\"500ms\"", "\"\"", {"is no duration"}},
      {"\"500ms\"", "\"99999999999s\"", {"is no duration"}},
      {"\"500ms\"", "\"1ms\"", {"\"1ms\" is not between 100ms and 600s"}},
      {"\"500ms\"", "\"4000000000h\"", {"is not between"}},
      {"\"[::1]:0\"", "\"::1:0\"", {"http.listen[1]: \"::1:0\" is no address with a port"}},
      {"\"[::1]:0\"", "\"localhost:80\"", {"is no address with a port"}},
      {"\"[::1]:0\"", "\"127.0.0.1\"", {"is no address with a port"}},
      {"\"[::1]:0\"", "\"127.0.0.1:65536\"", {"is no address with a port"}},
      {"\"[::1]:0\"", "\"127.0.0.1:\"", {"is no address with a port"}},
      {"\"[::1]:0\"", "\"[127.0.0.1]:80\"", {"is no address with a port"}},
      {"\"[::1]:0\"", "\"127.0.0.1:8080\"", {"http.listen[1]", "stands there twice"}},
      {"[\"127.0.0.1:8080\", \"[::1]:0\"]", "[]", {"http.listen: must not be empty"}},
      {"10.0.0.0/8", "10.0.0.0/33", {"trusted_proxies[0]", "is no address or network"}},
      {"10.0.0.0/8", "10.0.0.0/", {"is no address or network"}},
      {"10.0.0.0/8", "proxy", {"is no address or network"}},
      {"\"http://10.0.0.2:8080/record/\"", "\"10.0.0.2\"", {"mirrors[0].url", "is no URL"}},
      {"\"http://10.0.0.2:8080/record/\"", "\"https://\"", {"is no URL"}},
      {"\"http://10.0.0.2:8080/record/\"", "\"https://a b\"", {"is no URL"}},
      {"\"https://id.example/realm\"",
       "\"http://id.example\"",
       {"election[0].registrar[0].oidc.issuer", "not encrypted"}},
      {"\"https://id.example/realm\"", "\"http://localhost.example\"", {"not encrypted"}},
      {"\"https://id.example/realm\"", "\"http://127.evil.example\"", {"not encrypted"}},
      {"client_id = ", "audience = \"psephos\"\nclient_id = ", {"oidc.audience"}},
      {"level = \"warn\"",
       "level = \"loud\"",
       {"log.level: \"loud\" is none of \"debug\", \"info\", \"warn\", \"error\""}},
      {"shards = [0, 2]", "shards = [0, 0]", {"election[0].box.shards[1]: 0 stands there twice"}},
      {"shards = [0, 2]", "shards = [-1]", {"shards[0]: must be a whole number from 0 on"}},
      {"\"box/1\"", "\"box\"", {"mirrors[0].logs[0]: \"box\" is no log"}},
      {"\"box/1\"", "\"main/1\"", {"is no log"}},
      {"\"box/1\"", "\"../1\"", {"is no log"}},
      {"step = 25", "step = 0", {"election[0].live.step: 0 is not between 1"}},
      {"store = \"box.db\"", "store = \"\"", {"election[0].box.store: is no path"}},
      // What belongs together.
      {"certificate = \"tls/cert.pem\"\n", "", {"http.certificate: is missing", "both or not"}},
      {"key = \"/etc/psephosd/key.pem\"\n", "", {"http.key: is missing"}},
      {"token_file = \"token\"\ncertificate = \"cert\"\nkey = \"key\"\nclient_ca = \"ca\"\n",
       "certificate = \"cert\"\nkey = \"key\"\n",
       {"admin.token_file: is missing"}},
      {"certificate = \"cert\"\nkey = \"key\"\n",
       "",
       {"admin.client_ca: needs certificate", "admin.listen", "reached from outside"},
       2},
      {"batch = 50", "batch = 101", {"work.batch: 101 is more than work.queue, 100"}},
      {"record = \"../record\"\n", "", {"server.toml:30:1: election[0].record: is missing"}},
      {"password_file = \"box.password\"\n", "", {"election[0].box.password_file: is missing"}},
      {"index = 1\n", "", {"election[0].registrar[0].index: is missing"}},
      {"issuer = \"https://id.example/realm\"\n", "", {"oidc.issuer: is missing"}},
      {"logs = [\"box/1\", \"roll/0\"], ", "", {"mirrors[0].logs: is missing"}},
      // What the process keeps itself.
      {"[\"box/1\", \"roll/0\"]",
       "[\"main\", \"box/2\", \"roll/1\"]",
       {"election[0].board: mirrors \"main\", which", "\"box/2\"", "\"roll/1\""},
       3},
      {"\"South\" = [\"c\"]",
       "\"South\" = [\"a\"]",
       {"districts.South: style \"a\" is in district \"North\" already"}},
      {"store = \"registrar.db\"",
       "store = \"./box.db\"",
       {"election[0].registrar[0].store: /etc/psephosd/box.db is also election[0].box.store"}},
      {"key = \"registrar.key\"", "key = \"box.key\"", {"is also election[0].box.key"}},
      {"[election.board]",
       "[[election.registrar]]\nindex = 1\nstore = \"s\"\nkey = \"k\"\npassword_file = \"p\"\n"
       "[election.board]",
       {"election[0].registrar[1].index: registrar 1 has a section already"}},
  };
  for (const BadConfig& bad : cases) {
    SCOPED_TRACE(bad.replacement);
    const auto config = parse(with(std::string(kEverything), bad.old, bad.replacement));
    ASSERT_FALSE(config.has_value());
    const std::string text = all_text(config.error());
    EXPECT_EQ(config.error().size(), bad.problems) << text;
    for (const std::string& word : bad.words) {
      EXPECT_NE(text.find(word), std::string::npos) << word << "\nnot in\n" << text;
    }
  }
}

TEST(Config, NamesAllProblemsAtOnce) {
  const auto config = parse(R"(
[http]
threads = -1
color = "red"
[admin]
listen = "here"
[[election]]
[election.box]
store = 5
[[election]]
record = ""
)");
  ASSERT_FALSE(config.has_value());
  const std::string text = all_text(config.error());
  for (const char* key : {"http.threads", "http.color", "admin.listen", "admin.token_file",
                          "election[0].record", "election[0].box.store", "election[0].box.key",
                          "election[0].box.password_file", "election[0].registrar",
                          "election[1].record", "election[1].box", "election[1].registrar"}) {
    EXPECT_NE(text.find(std::string(key) + ": "), std::string::npos) << key << "\n" << text;
  }
  EXPECT_EQ(config.error().size(), 12U) << text;
  EXPECT_FALSE(parse("").has_value());
}

TEST(Config, EachRoleHasItsSections) {
  const auto part = [](const std::string& name, const std::string& more = "") {
    const bool many = name == "registrar";
    return (many ? "[[election." : "[election.") + name + (many ? "]]\n" : "]\n") + more +
           "store = \"" + name + ".db\"\nkey = \"" + name + ".key\"\npassword_file = \"p\"\n";
  };
  const std::string start = "[admin]\ntoken_file = \"t\"\n[[election]]\nrecord = \"r\"\n";
  const std::string box = part("box");
  const std::string registrar = part("registrar", "index = 0\n");
  const std::string board = "[election.board]\n";
  const std::string live = "[election.live]\n";
  const auto outcome = [&](Role role, const std::string& sections) {
    const auto config = parse(start + sections, {}, role);
    return config.has_value() ? "" : all_text(config.error());
  };
  EXPECT_EQ(outcome(Role::all, box + registrar), "");
  EXPECT_EQ(outcome(Role::all, box + registrar + board + live), "");
  EXPECT_EQ(outcome(Role::box, box), "");
  EXPECT_EQ(outcome(Role::registrar, registrar), "");
  EXPECT_EQ(outcome(Role::board, board), "");
  EXPECT_EQ(outcome(Role::board, board + live), "");
  const std::string mirrors =
      board + "mirrors = [{ logs = [\"main\", \"box/0\"], url = \"http://x.example/\" }]\n";
  EXPECT_EQ(outcome(Role::board, mirrors), "");
  const std::vector<std::tuple<Role, std::string, std::string>> bad{
      {Role::all, box, "election[0].registrar: is missing: role \"all\""},
      {Role::all, registrar, "election[0].box: is missing"},
      {Role::all, box + registrar + mirrors, "election[0].board: mirrors \"main\""},
      {Role::all, box + registrar + mirrors, "election[0].board: mirrors \"box/0\""},
      {Role::box, "", "election[0].box: is missing: role \"box\""},
      {Role::box, box + registrar, "election[0].registrar: must not be here: role \"box\""},
      {Role::box, box + board, "election[0].board: must not be here"},
      {Role::box, box + live, "election[0].live: must not be here"},
      {Role::registrar, "", "election[0].registrar: is missing"},
      {Role::registrar, registrar + box, "election[0].box: must not be here"},
      {Role::registrar, registrar + board, "election[0].board: must not be here"},
      {Role::board, "", "election[0].board: is missing"},
      {Role::board, board + box, "election[0].box: must not be here"},
      {Role::board, board + registrar, "election[0].registrar: must not be here"},
      {Role::registrar, registrar + "codes = false\n", "nobody could enrol"},
  };
  for (const auto& [role, sections, words] : bad) {
    EXPECT_NE(outcome(role, sections).find(words), std::string::npos) << words << "\n"
                                                                      << outcome(role, sections);
  }
  // The command line before the environment before the file.
  const std::string text = "role = \"all\"\n" + start + box;
  EXPECT_FALSE(parse(text).has_value());
  EXPECT_EQ(parse(text, {{"PSEPHOSD_ROLE", "box"}}).value().role, Role::box);
  EXPECT_EQ(parse(text, {{"PSEPHOSD_ROLE", "registrar"}}, Role::box).value().role, Role::box);
  for (const Role role : {Role::all, Role::registrar, Role::box, Role::board}) {
    EXPECT_EQ(role_of(name(role)), role);
  }
  EXPECT_EQ(role_of("boss"), std::nullopt);
}

class ConfigFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "psephos-test.XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    write("server.toml", kElection);
    for (const char* secret :
         {"token", "box.key", "box.password", "registrar.key", "registrar.password"}) {
      write(secret, "a secret, long enough\n");
      std::filesystem::permissions(root_ / secret, std::filesystem::perms::owner_read);
    }
    std::filesystem::create_directories(root_ / "record" / "main");
    write("record/manifest.json", test::manifest_json({.shards = 3, .registrars = 2}));
    write("record/main/checkpoint", "checkpoint");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void write(const std::string& file, std::string_view content) {
    std::ofstream(root_ / file) << content;
  }
  // The keys that are wrong, with the messages.
  std::string problems() {
    const auto config = read_config(root_ / "server.toml", {}, std::nullopt);
    EXPECT_TRUE(config.has_value()) << all_text(config.error());
    return config.has_value() ? all_text(check_config(*config)) : "";
  }
  void expect(const std::vector<std::string>& words) {
    const std::string text = problems();
    EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(text, '\n')), words.size()) << text;
    for (const std::string& word : words) {
      EXPECT_NE(text.find(word), std::string::npos) << word << "\nnot in\n" << text;
    }
  }
  std::filesystem::path root_;
};

TEST_F(ConfigFiles, AreThere) {
  expect({});
  std::filesystem::remove(root_ / "token");
  std::filesystem::remove(root_ / "record" / "manifest.json");
  std::filesystem::remove(root_ / "box.key");
  std::filesystem::create_directory(root_ / "box.key");
  expect({"admin.token_file: " + (root_ / "token").string() + ": No such file",
          "election[0].record: " + (root_ / "record").string() + ": is no record",
          "election[0].box.key: " + (root_ / "box.key").string() + ": is not a file"});
  std::filesystem::remove_all(root_ / "record");
  std::filesystem::remove(root_ / "box.key");
  write("box.key", "");
  write("token", "a secret, long enough\n");
  std::filesystem::permissions(root_ / "token", std::filesystem::perms::owner_read);
  std::filesystem::permissions(root_ / "box.key", std::filesystem::perms::owner_read);
  expect({"election[0].record: " + (root_ / "record").string() + ": is no directory",
          "box.key: is empty"});
}

TEST_F(ConfigFiles, AreNotForEverybody) {
  for (const char* secret : {"token", "registrar.key"}) {
    std::filesystem::permissions(root_ / secret, std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
  }
  expect({"admin.token_file: " + (root_ / "token").string() + ": everybody",
          "election[0].registrar[0].key: " + (root_ / "registrar.key").string() + ": everybody"});
}

TEST_F(ConfigFiles, HavePlaces) {
  write("server.toml", with(std::string(kElection), "\"box.db\"", "\"nowhere/box.db\"") +
                           "[log]\nfile = \"no/where/log\"\n[http]\ncertificate = \"c\"\n"
                           "key = \"k\"\n");
  expect({"election[0].box.store: " + (root_ / "nowhere").string() + ": cannot be written in",
          "log.file: ", "http.certificate: ", "http.key: "});
}

TEST_F(ConfigFiles, HaveAManifest) {
  write("record/manifest.json", "{}");
  expect({"election[0].record: " + (root_ / "record" / "manifest.json").string() + ": "});
}

// What the election does not have is named before anything is opened.
TEST_F(ConfigFiles, FitTheElection) {
  std::string text = with(std::string(kElection), "password_file = \"box.password\"",
                          "password_file = \"box.password\"\nshards = [0, 2, 3]");
  text = with(text, "index = 0", "index = 2");
  text +=
      "[election.board]\nmirrors = [{ logs = [\"box/1\", \"box/7\", \"roll/1\", \"roll/5\"], "
      "url = \"http://127.0.0.1/\" }]\n"
      "[election.live.districts]\n\"North\" = [\"both\", \"nowhere\"]\n";
  write("server.toml", text);
  expect({"election[0].box.shards: there is no shard 3: the election has 3 shards",
          "election[0].registrar[0].index: there is no registrar 2: the election has 2 registrars",
          "election[0].board.mirrors: the election has no log \"box/7\"",
          "election[0].board.mirrors: the election has no log \"roll/5\"",
          "election[0].live.districts.North: the election has no ballot style \"nowhere\""});
}

TEST_F(ConfigFiles, TokensAreLong) {
  write("short", "fifteen letters\n");
  std::filesystem::permissions(root_ / "short", std::filesystem::perms::owner_read);
  write("server.toml", with(std::string(kElection), "\"token\"", "\"short\""));
  expect({"admin.token_file: " + (root_ / "short").string() + ": the token has fewer than 16"});
}

TEST_F(ConfigFiles, CertificatesFitTheirKeys) {
  const test::Folder folder;
  const test::Authority authority(folder, "authority");
  const test::CertificateFiles one = authority.issue("one");
  const test::CertificateFiles other = authority.issue("other");
  for (const auto& files : {one, other}) {
    std::filesystem::permissions(files.key, std::filesystem::perms::owner_read);
  }
  const auto with_tls = [&](const std::string& key) {
    const std::string pair = "certificate = \"" + one.certificate + "\"\nkey = \"" + key + "\"\n";
    write("server.toml", with(std::string(kElection), "[admin]\n",
                              "[http]\n" + pair + "[admin]\n" + pair + "client_ca = \"" +
                                  authority.file() + "\"\n"));
  };
  with_tls(one.key);
  expect({});
  with_tls(other.key);
  expect({"http.certificate: " + other.key + ": cannot read the key of the certificate",
          "admin.certificate: " + other.key + ": cannot read the key of the certificate"});
}

TEST_F(ConfigFiles, TheRecordIsWritten) {
  if (::geteuid() == 0) {
    GTEST_SKIP() << "root may write anywhere";
  }
  using std::filesystem::perms;
  for (const char* place : {"record", "record/main"}) {
    std::filesystem::permissions(root_ / place, perms::owner_read | perms::owner_exec);
    expect({"election[0].record: " + (root_ / place).string() + ": cannot be written in"});
    std::filesystem::permissions(root_ / place, perms::owner_all);
  }
}

// One run names what is wrong with the text and what is wrong with the files.
TEST_F(ConfigFiles, AllProblemsAreNamedAtOnce) {
  write("server.toml", with(std::string(kElection), "index = 0", "index = 7\ncolour = 1"));
  std::filesystem::remove(root_ / "box.key");
  const auto config = load_config(root_ / "server.toml", {}, std::nullopt);
  ASSERT_FALSE(config.has_value());
  const std::string text = all_text(config.error());
  EXPECT_EQ(config.error().size(), 3U) << text;
  for (const char* word :
       {"registrar[0].colour: no such key", "there is no registrar 7", "box.key: No such file"}) {
    EXPECT_NE(text.find(word), std::string::npos) << word << "\nnot in\n" << text;
  }
  EXPECT_EQ(read_config(root_ / "server.toml", {}, std::nullopt).error().size(), 1U);
  write("server.toml", "[http\n");
  EXPECT_EQ(load_config(root_ / "server.toml", {}, std::nullopt).error().size(), 1U);
}

TEST_F(ConfigFiles, CannotBeReadAtAll) {
  EXPECT_NE(all_text(read_config(root_ / "other.toml", {}, std::nullopt).error())
                .find("other.toml: cannot open"),
            std::string::npos);
  write("server.toml", std::string(2'000'000, '#'));
  EXPECT_FALSE(read_config(root_ / "server.toml", {}, std::nullopt).has_value());
  write("server.toml", "a = \"\xff\"\n");
  EXPECT_FALSE(read_config(root_ / "server.toml", {}, std::nullopt).has_value());
}

}  // namespace
}  // namespace psephos::server
