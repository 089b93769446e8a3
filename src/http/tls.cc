#include "src/http/tls.h"

#include <array>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace psephos::http {

namespace {

std::unexpected<Error> tls_error(const std::string& file, std::string_view doing) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return fail(Errc::environment, file + ": cannot " + std::string(doing) + ": " + text.data());
}

// The only protocol spoken here. Who names others only is turned away, so that the connection is
// not taken for one of another protocol.
int select_protocol(SSL* /*connection*/, const unsigned char** selected, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void* /*unused*/) {
  static constexpr std::array<unsigned char, 9> kHttp{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, size, kHttp.data(), kHttp.size(), offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *selected = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

void FreeTlsContext::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

Result<TlsContext> make_tls_context(const TlsFiles& files) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const raw = context.get();
  if (raw == nullptr || SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_num_tickets(raw, 0) != 1) {
    return tls_error("TLS", "set up");
  }
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  // Thousands of connections wait for events: they give their buffers back meanwhile.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(raw, select_protocol, nullptr);
  if (SSL_CTX_use_certificate_chain_file(raw, files.certificate.c_str()) != 1) {
    return tls_error(files.certificate, "read the certificate");
  }
  if (SSL_CTX_use_PrivateKey_file(raw, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return tls_error(files.key, "read the key of the certificate " + files.certificate);
  }
  if (SSL_CTX_check_private_key(raw) != 1) {
    return tls_error(files.key, "use it with the certificate " + files.certificate);
  }
  if (!files.client_ca.empty()) {
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(files.client_ca.c_str());
    if (names == nullptr ||
        SSL_CTX_load_verify_locations(raw, files.client_ca.c_str(), nullptr) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return tls_error(files.client_ca, "read the authority for clients");
    }
    SSL_CTX_set_client_CA_list(raw, names);  // takes them
    SSL_CTX_set_verify(
        raw,
        SSL_VERIFY_PEER | (files.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        nullptr);
  }
  return context;
}

std::optional<std::string> peer_subject(ssl_st* connection) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      SSL_get1_peer_certificate(connection), X509_free);
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), BIO_free);
  if (certificate == nullptr || text == nullptr || SSL_get_verify_result(connection) != X509_V_OK ||
      X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate.get()), 0, XN_FLAG_RFC2253) <
          0) {
    return std::nullopt;
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace psephos::http
