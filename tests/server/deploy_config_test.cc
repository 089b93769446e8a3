// The example configurations of deploy/ are good, and so is what they only mention.
#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "src/server/config.h"

namespace psephos::server {
namespace {

class DeployConfig : public testing::TestWithParam<Role> {
 protected:
  static Path path() {
    return Path(PSEPHOS_SOURCE_DIR "/deploy/config") / (std::string(name(GetParam())) + ".toml");
  }
  static std::string problems_of(const std::expected<Config, ConfigProblems>& config) {
    std::string text;
    for (const ConfigProblem& problem : config.has_value() ? ConfigProblems{} : config.error()) {
      text += problem.text() + "\n";
    }
    return text;
  }
  static std::vector<std::string> lines() {
    std::ifstream in(path());
    std::vector<std::string> found;
    for (std::string line; std::getline(in, line);) {
      found.push_back(line);
    }
    return found;
  }
};

TEST_P(DeployConfig, IsGood) {
  const auto config = read_config(path(), {}, std::nullopt);
  EXPECT_EQ(problems_of(config), "");
  ASSERT_TRUE(config.has_value());
  EXPECT_EQ(config->role, GetParam());
  EXPECT_EQ(config->elections.size(), 1U);
  EXPECT_EQ(config->http.trusted_proxies, std::vector<std::string>{"127.0.0.1"});
}

// Settings that are commented out ("#key = …", "#[section]"; prose has a blank after the #).
TEST_P(DeployConfig, WhatItMentionsExists) {
  std::string text;
  for (const std::string& line : lines()) {
    const bool setting = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    text += (setting ? line.substr(1) : line) + "\n";
  }
  EXPECT_EQ(problems_of(parse_config(text, path(), {}, std::nullopt)), "");
}

// Secrets are the credentials that the unit of this role gives: nobody else's.
TEST_P(DeployConfig, SecretsAreThoseOfTheRole) {
  const std::string role(name(GetParam()));
  for (const std::string& line : lines()) {
    if (line.find("/run/credentials/") != std::string::npos) {
      EXPECT_NE(line.find("\"/run/credentials/psephosd@" + role + ".service/secrets_"),
                std::string::npos)
          << line;
    }
    if (line.find("/var/lib/") != std::string::npos) {
      EXPECT_NE(line.find("\"/var/lib/psephosd-" + role + "/"), std::string::npos) << line;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Roles, DeployConfig,
                         testing::Values(Role::all, Role::registrar, Role::box, Role::board),
                         [](const auto& role) { return std::string(name(role.param)); });

// A default that is mentioned is the one that holds.
TEST(DeployConfigDefaults, AreAsMentioned) {
  const Path path = PSEPHOS_SOURCE_DIR "/deploy/config/all.toml";
  const auto config = read_config(path, {}, std::nullopt);
  ASSERT_TRUE(config.has_value());
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  const auto mentions = [&](const std::string& line) {
    EXPECT_NE(text.str().find("\n#" + line + "\n"), std::string::npos) << line;
  };
  const auto seconds = [](Duration duration) {
    return "\"" + std::to_string(duration / std::chrono::seconds(1)) + "s\"";
  };
  const HttpConfig& http = config->http;
  mentions("max_connections = " + std::to_string(http.max_connections));
  mentions("max_connections_per_client = " + std::to_string(http.max_connections_per_client));
  mentions("header_timeout = " + seconds(http.header_timeout));
  mentions("body_timeout = " + seconds(http.body_timeout));
  mentions("idle_timeout = " + seconds(http.idle_timeout));
  mentions("write_timeout = " + seconds(http.write_timeout));
  mentions("rate_burst = " + std::to_string(http.rate_burst));
  mentions("max_event_listeners = " + std::to_string(http.max_event_listeners));
  mentions("queue = " + std::to_string(config->work.queue));
  mentions("batch = " + std::to_string(config->work.batch));
  const ElectionConfig& election = config->elections.at(0);
  mentions("export_interval = " + seconds(election.box->export_interval));
  mentions("step = " + std::to_string(election.live.step));
  mentions("interval = " + seconds(election.live.interval));
  mentions("scope = \"" + election.registrars.at(0).oidc->scope + "\"");
  mentions("claim = \"" + election.registrars.at(0).oidc->claim + "\"");
  mentions("leeway = " + seconds(election.registrars.at(0).oidc->leeway));
}

}  // namespace
}  // namespace psephos::server
