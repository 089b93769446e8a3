// The server's side of TLS: what OpenSSL is told.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "psephos/error.h"

struct ssl_ctx_st;
struct ssl_st;

namespace psephos::http {

struct TlsFiles {
  std::string certificate;  // PEM, with the chain up to the authority
  std::string key;
  std::string client_ca;  // empty: clients have no certificates
  bool require_client_certificate = false;
};

struct FreeTlsContext {
  void operator()(ssl_ctx_st* context) const;
};
using TlsContext = std::unique_ptr<ssl_ctx_st, FreeTlsContext>;

// TLS 1.3 only. Sessions are not resumed: their keys would outlive the connection, and be one more
// way to be taken for a client with a certificate.
[[nodiscard]] Result<TlsContext> make_tls_context(const TlsFiles& files);

// The subject of the certificate the peer has proved to hold (RFC 2253), which may be empty;
// nothing if it has none.
[[nodiscard]] std::optional<std::string> peer_subject(ssl_st* connection);

}  // namespace psephos::http
