#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "psephos/network/http_client.h"

#include "src/http/server.h"
#include "tests/http/certificates.h"
#include "tests/http/serving.h"

namespace psephos::test {
namespace {

using namespace std::chrono_literals;
using network::BeastHttpClient;
using network::HttpResponse;

// What OpenSSL agrees on with a server; 0: nothing.
int version_with(std::uint16_t port, int max_version, std::string_view protocols = {}) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  SSL_CTX_free);
  SSL_CTX_set_max_proto_version(context.get(), max_version);
  SSL_CTX_set_security_level(context.get(), 0);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
  const RawClient client(port);
  const std::unique_ptr<SSL, decltype(&SSL_free)> connection(SSL_new(context.get()), SSL_free);
  SSL_set_alpn_protos(connection.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                      static_cast<unsigned>(protocols.size()));
  SSL_set_fd(connection.get(), client.fd());
  return SSL_connect(connection.get()) == 1 ? SSL_version(connection.get()) : 0;
}

class Tls : public testing::Test {
 protected:
  static ServerOptions with(const CertificateFiles& files) {
    ServerOptions options;
    options.certificate = files.certificate;
    options.key = files.key;
    return options;
  }
  [[nodiscard]] Result<HttpResponse> visit(const Serving& serving, const std::string& ca,
                                           const CertificateFiles& own = {}) const {
    BeastHttpClient::Options options;
    options.timeout = 10s;
    options.ca_file = ca;
    options.client_certificate = own.certificate;
    options.client_key = own.key;
    return BeastHttpClient::create(options).value()->send(serving.url("/", true), {}, 1000);
  }

  Folder folder_;
  Authority authority_{folder_, "authority"};
  Authority clients_{folder_, "clients"};
};

std::string body_of(const Result<HttpResponse>& response) {
  return response.has_value() ? std::string(as_text(response->body)) : response.error().message;
}

void tell_certificate(const Request& request, Respond respond) {
  respond(text_response(
      request.client_certificate.has_value() ? "'" + *request.client_certificate + "'" : "none"));
}

TEST_F(Tls, VersionThreeOnly) {
  const Serving serving(echo, with(authority_.issue("server")));
  EXPECT_EQ(version_with(serving.port(), TLS1_3_VERSION), TLS1_3_VERSION);
  EXPECT_EQ(version_with(serving.port(), TLS1_2_VERSION), 0);
  EXPECT_EQ(version_with(serving.port(), TLS1_1_VERSION), 0);
}

TEST_F(Tls, SpeaksOneProtocol) {
  const Serving serving(echo, with(authority_.issue("server")));
  EXPECT_NE(version_with(serving.port(), TLS1_3_VERSION, "\x02h2\x08http/1.1"), 0);
  EXPECT_EQ(version_with(serving.port(), TLS1_3_VERSION, "\x02h2"), 0);
}

TEST_F(Tls, SilenceIsEnded) {
  ServerOptions options = with(authority_.issue("server"));
  options.header_timeout = 200ms;
  Serving serving(echo, options);
  RawClient client(serving.port());
  EXPECT_EQ(client.read_all(), "");
  EXPECT_TRUE(client.closed());
}

TEST_F(Tls, PlainRequestsAreNotAnswered) {
  Serving serving(echo, with(authority_.issue("server")));
  const std::string answer = serving.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(answer.contains("HTTP/1.1"));
}

TEST_F(Tls, CertificatesOfClientsAreOptional) {
  ServerOptions options = with(authority_.issue("server"));
  options.client_ca = clients_.file();
  const Serving serving(tell_certificate, options);
  EXPECT_EQ(body_of(visit(serving, authority_.file())), "none");
  EXPECT_EQ(body_of(visit(serving, authority_.file(),
                          clients_.issue("admin", {.subject = "admin, 1", .names = ""}))),
            "'CN=admin\\, 1'");
  // One that names its holder in subjectAltName only is a certificate, too.
  EXPECT_EQ(body_of(visit(serving, authority_.file(), clients_.issue("plain", {.subject = ""}))),
            "''");
}

TEST_F(Tls, CertificatesOfClientsAreVerified) {
  ServerOptions options = with(authority_.issue("server"));
  options.client_ca = clients_.file();
  for (const bool required : {false, true}) {
    options.require_client_certificate = required;
    const Serving serving(tell_certificate, options);
    EXPECT_EQ(visit(serving, authority_.file()).has_value(), !required);
    EXPECT_TRUE(visit(serving, authority_.file(), clients_.issue("good")).has_value());
    // The server's authority is not that of the clients.
    EXPECT_FALSE(visit(serving, authority_.file(), authority_.issue("other")).has_value());
    EXPECT_FALSE(visit(serving, authority_.file(),
                       clients_.issue("old", {.valid_from = -7200, .valid_until = -3600}))
                     .has_value());
  }
}

TEST_F(Tls, WithoutAnAuthorityNoClientIsNamed) {
  const Serving serving(tell_certificate, with(authority_.issue("server")));
  EXPECT_EQ(body_of(visit(serving, authority_.file(), clients_.issue("admin"))), "none");
}

TEST_F(Tls, CertificatesAreReadAgain) {
  const CertificateFiles files = authority_.issue("server");
  Serving serving(echo, with(files));
  EXPECT_TRUE(visit(serving, authority_.file()).has_value());
  const auto kept = BeastHttpClient::create({.ca_file = authority_.file()}).value();
  EXPECT_TRUE(kept->send(serving.url("/", true), {}, 1000).has_value());

  const Authority successor(folder_, "successor");
  const CertificateFiles renewed = successor.issue("server");  // the same files
  ASSERT_EQ(renewed.certificate, files.certificate);
  EXPECT_FALSE(visit(serving, successor.file()).has_value());
  const auto reloaded = serving.server().reload_certificates();
  ASSERT_TRUE(reloaded.has_value()) << reloaded.error().message;
  EXPECT_TRUE(visit(serving, successor.file()).has_value());
  EXPECT_FALSE(visit(serving, authority_.file()).has_value());
  // What was open before goes on.
  EXPECT_TRUE(kept->send(serving.url("/", true), {}, 1000).has_value());

  // What cannot be used changes nothing.
  const CertificateFiles other = successor.issue("other");
  std::filesystem::copy_file(other.key, files.key,
                             std::filesystem::copy_options::overwrite_existing);
  const auto refused = serving.server().reload_certificates();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::environment);
  EXPECT_TRUE(refused.error().message.contains(files.key)) << refused.error().message;
  EXPECT_TRUE(visit(serving, successor.file()).has_value());
  std::filesystem::remove(files.certificate);
  EXPECT_FALSE(serving.server().reload_certificates().has_value());
  EXPECT_TRUE(visit(serving, successor.file()).has_value());
}

TEST_F(Tls, FilesThatCannotBeUsed) {
  const CertificateFiles good = authority_.issue("good");
  const CertificateFiles other = authority_.issue("other");
  FunctionHandler handler(echo);
  const auto create = [&](const CertificateFiles& files, const std::string& ca = {}) {
    ServerOptions options = local(with(files));
    options.client_ca = ca;
    return HttpServer::create(options, handler).has_value();
  };
  EXPECT_TRUE(create(good, clients_.file()));
  EXPECT_FALSE(create({good.certificate, other.key}));
  EXPECT_FALSE(create({good.key, good.key}));
  EXPECT_FALSE(create({good.certificate, good.certificate}));
  EXPECT_FALSE(create({good.certificate, ""}));
  EXPECT_FALSE(create({good.certificate, "/nowhere/key.pem"}));
  EXPECT_FALSE(create(good, "/nowhere/ca.pem"));
  EXPECT_FALSE(create(good, good.key));
}

TEST_F(Tls, RefusalArrivesThoughTheBodyIsStillSent) {
  Serving serving(echo, with(authority_.issue("server")));
  network::HttpRequest request;
  request.method = "POST";
  request.body.resize(1'500'000);
  const auto client = BeastHttpClient::create({.ca_file = authority_.file()}).value();
  for (int i = 0; i < 5; ++i) {
    const auto response = client->send(serving.url("/", true), request, 1000);
    ASSERT_TRUE(response.has_value()) << response.error().message;
    EXPECT_EQ(response->status, 413U);
  }
}

TEST_F(Tls, StopEndsConnections) {
  Serving serving(echo, with(authority_.issue("server")));
  const auto client = BeastHttpClient::create({.ca_file = authority_.file()}).value();
  EXPECT_TRUE(client->send(serving.url("/", true), {}, 1000).has_value());
  serving.server().stop(kPatience);
  EXPECT_EQ(serving.server().connections(), 0U);
  EXPECT_FALSE(client->send(serving.url("/", true), {}, 1000).has_value());
}

}  // namespace
}  // namespace psephos::test
