#include "tests/http/certificates.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace psephos::test {

namespace {

void expect(bool good, const char* what) {
  if (!good) {
    throw std::runtime_error(what);
  }
}

template <class Write>
void write_pem(const std::string& path, Write write) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"),
                                                             std::fclose);
  expect(file != nullptr && write(file.get()) == 1, "cannot write a PEM file");
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  expect(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1, "extension");
  X509_EXTENSION_free(extension);
}

X509* make_certificate(EVP_PKEY* key, const CertificateWish& wish, X509* issuer,
                       EVP_PKEY* issuer_key) {
  X509* certificate = X509_new();
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1U);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.valid_until);
  X509_set_pubkey(certificate, key);
  if (!wish.subject.empty()) {
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wish.subject.c_str()), -1, -1,
                               0);
  }
  const bool is_root = issuer == nullptr;
  X509_set_issuer_name(certificate, X509_get_subject_name(is_root ? certificate : issuer));
  add_extension(certificate, is_root ? certificate : issuer, NID_basic_constraints,
                is_root ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!wish.names.empty()) {
    add_extension(certificate, certificate, NID_subject_alt_name, wish.names);
  }
  expect(X509_sign(certificate, issuer_key, EVP_sha256()) > 0, "cannot sign");
  return certificate;
}

}  // namespace

Folder::Folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "psephos-http-XXXXXX").string();
  expect(::mkdtemp(pattern.data()) != nullptr, "no temporary folder");
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Authority::Authority(const Folder& folder, const std::string& name)
    : folder_(folder), key_(EVP_EC_gen("P-256")), file_(folder.file(name + ".pem")) {
  CertificateWish wish;
  wish.subject = name;
  wish.names.clear();
  certificate_ = make_certificate(key_, wish, nullptr, key_);
  write_pem(file_, [&](std::FILE* file) { return PEM_write_X509(file, certificate_); });
}

Authority::~Authority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

CertificateFiles Authority::issue(const std::string& file_name, const CertificateWish& wish) const {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      make_certificate(key.get(), wish, certificate_, key_), X509_free);
  CertificateFiles files{folder_.file(file_name + ".pem"), folder_.file(file_name + ".key")};
  write_pem(files.certificate,
            [&](std::FILE* file) { return PEM_write_X509(file, certificate.get()); });
  write_pem(files.key, [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  return files;
}

}  // namespace psephos::test
