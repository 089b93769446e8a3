// Authorities and certificates, made when a test runs.
#pragma once

#include <filesystem>
#include <string>

struct evp_pkey_st;
struct x509_st;

namespace psephos::test {

// Folder is an empty directory that goes with the test.
class Folder {
 public:
  Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

struct CertificateFiles {
  std::string certificate;
  std::string key;
};

struct CertificateWish {
  std::string subject = "server";                    // common name; empty: no name at all
  std::string names = "IP:127.0.0.1,DNS:localhost";  // subjectAltName; empty: none
  long valid_from = -3600;                           // seconds from now
  long valid_until = 3600;
};

// Authority signs certificates and writes them as PEM files into a folder.
class Authority {
 public:
  Authority(const Folder& folder, const std::string& name);
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;
  ~Authority();
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] CertificateFiles issue(const std::string& file_name,
                                       const CertificateWish& wish = {}) const;

 private:
  const Folder& folder_;
  evp_pkey_st* key_;
  x509_st* certificate_;
  std::string file_;
};

}  // namespace psephos::test
