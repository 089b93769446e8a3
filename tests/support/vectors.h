// Test vectors and data sets from outside the repository, and a JSON reader that notices what a
// test did not look at: a misspelt or forgotten field must not pass in silence.
//
//   TEST(Scalar, BadEncodings) {
//     PSEPHOS_LOAD_VECTORS(vectors, "rfc9496_ristretto255.json", "bad_scalars");
//     for (const Field& item : vectors.array()) {
//       const std::string why = item["why"].str();
//       EXPECT_FALSE(Scalar::decode(item["encoding"].hex()).has_value()) << why;
//     }
//   }  // fails here, naming each field that was not read
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "psephos/bytes.h"

namespace psephos::test {

// The folders of test vectors (PSEPHOS_VECTORS, else ../shared/vectors beside the source tree) and
// of election data (PSEPHOS_DATA, else ../shared/data). They need not exist.
[[nodiscard]] std::filesystem::path vectors_dir();
[[nodiscard]] std::filesystem::path data_dir();

class Consuming;

// Field is one value inside a Consuming document and lives as long as it. A getter marks the value
// as read, and throws, failing the test with the value's path, if it has another type.
class Field {
 public:
  // operator[] throws if there is no such member or element.
  [[nodiscard]] Field operator[](std::string_view key) const;
  [[nodiscard]] Field operator[](std::size_t index) const;
  [[nodiscard]] bool has(std::string_view key) const;
  // is_null marks a null as read.
  [[nodiscard]] bool is_null() const;

  [[nodiscard]] std::string str() const;
  [[nodiscard]] Bytes hex() const;
  [[nodiscard]] std::uint64_t u64() const;
  [[nodiscard]] std::int64_t i64() const;
  [[nodiscard]] bool boolean() const;
  // The elements of an array; the members of an object with their names, where those are data.
  [[nodiscard]] std::vector<Field> array() const;
  [[nodiscard]] std::vector<std::pair<std::string, Field>> members() const;

  // ignore counts a member and all below it as read. Only for prose and for what another test
  // checks; the reason stands in the test for its reader.
  void ignore(std::string_view key, std::string_view reason) const;

 private:
  friend class Consuming;
  Field(Consuming* document, const nlohmann::json* value) : document_(document), value_(value) {}
  [[noreturn]] void wrong(std::string_view expected) const;
  void mark_read() const;

  Consuming* document_;
  const nlohmann::json* value_;
};

// Consuming is a JSON document, or one top-level section of it, of which everything must be read.
// The members about, layout, source and checked at the top are prose and exempt.
class Consuming {
 public:
  explicit Consuming(const std::filesystem::path& file, std::string_view section = {});
  explicit Consuming(nlohmann::json document);
  Consuming(const Consuming&) = delete;
  Consuming& operator=(const Consuming&) = delete;
  // The destructor calls finish unless the test has already failed fatally.
  ~Consuming();

  [[nodiscard]] Field root() { return {this, root_}; }
  [[nodiscard]] Field operator[](std::string_view key) { return root()[key]; }
  [[nodiscard]] std::vector<Field> array() { return root().array(); }
  [[nodiscard]] bool has(std::string_view key) { return root().has(key); }
  void ignore(std::string_view key, std::string_view reason) { root().ignore(key, reason); }

  // unread lists the topmost places below which nothing was read.
  [[nodiscard]] std::vector<std::string> unread() const;
  // finish fails the test, naming what was not read. Later calls do nothing.
  void finish();

 private:
  friend class Field;
  [[nodiscard]] std::string path_of(const nlohmann::json* wanted) const;

  nlohmann::json document_;
  const nlohmann::json* root_;
  std::unordered_set<const nlohmann::json*> read_;
  bool finished_ = false;
};

}  // namespace psephos::test

// PSEPHOS_LOAD_VECTORS(name, "file.json"[, "section"]) declares a Consuming, or skips the test
// where the folder of vectors is not there. A missing file in an existing folder fails.
#define PSEPHOS_LOAD_VECTORS(name, file, ...)                                             \
  if (!std::filesystem::is_directory(::psephos::test::vectors_dir())) {                   \
    GTEST_SKIP() << "no test vectors (" << (file) << "): set PSEPHOS_VECTORS; looked in " \
                 << ::psephos::test::vectors_dir();                                       \
  }                                                                                       \
  ::psephos::test::Consuming name(::psephos::test::vectors_dir() / (file)__VA_OPT__(, ) __VA_ARGS__)

// PSEPHOS_NEED_DATA("set") skips the test where the folder of election data is not there.
#define PSEPHOS_NEED_DATA(set)                                                         \
  if (!std::filesystem::is_directory(::psephos::test::data_dir() / (set))) {           \
    GTEST_SKIP() << "no election data (" << (set) << "): set PSEPHOS_DATA; looked in " \
                 << ::psephos::test::data_dir();                                       \
  }                                                                                    \
  static_assert(true)
