#include "src/csv/csv.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace psephos::csv {
namespace {

using Row = CsvReader::Row;
using Rows = std::vector<Row>;

class CsvTest : public testing::Test {
 protected:
  CsvTest()
      : path_(std::filesystem::temp_directory_path() /
              ("psephos-csv-test-" + std::to_string(::getpid()) + ".csv")) {}
  ~CsvTest() override {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  void put(const std::string& content) const { std::ofstream(path_, std::ios::binary) << content; }
  // The rows of a text and the lines they begin on.
  Result<Rows> read(const std::string& content) {
    put(content);
    lines_.clear();
    PSEPHOS_TRY(CsvReader csv, CsvReader::open(path_));
    Rows rows;
    while (true) {
      PSEPHOS_TRY(auto row, csv.next());
      if (!row.has_value()) {
        break;
      }
      rows.push_back(std::move(*row));
      lines_.push_back(csv.line());
    }
    // The end stays the end.
    PSEPHOS_TRY(const auto after, csv.next());
    EXPECT_FALSE(after.has_value());
    return rows;
  }
  void expect_rows(const std::string& content, const Rows& rows) {
    const auto found = read(content);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(*found, rows);
  }
  void expect_refused(const std::string& content, std::size_t line, const std::string& why) {
    const auto found = read(content);
    ASSERT_FALSE(found.has_value()) << "accepted: " << content.substr(0, 100);
    EXPECT_EQ(found.error().code, Errc::malformed);
    EXPECT_EQ(found.error().message, path_.string() + " line " + std::to_string(line) + ": " + why);
  }

  std::filesystem::path path_;
  std::vector<std::size_t> lines_;
};

constexpr const char* kQuote =
    "a quote stands where none may; quote the whole field and double the quotes in it";

TEST_F(CsvTest, ReadsRows) {
  expect_rows("", {});
  expect_rows("a", {{"a"}});
  expect_rows("a\n", {{"a"}});
  expect_rows("a,b\nc,d\n", {{"a", "b"}, {"c", "d"}});
  expect_rows("a,b\r\nc,d\r\n", {{"a", "b"}, {"c", "d"}});
  expect_rows("a,b\r\nc,d", {{"a", "b"}, {"c", "d"}});
  expect_rows(",\n", {{"", ""}});
  expect_rows(",,x\n", {{"", "", "x"}});
  expect_rows("a\nb,c\n", {{"a"}, {"b", "c"}});
}

TEST_F(CsvTest, ReadsQuotedFields) {
  expect_rows("\"a\"\n", {{"a"}});
  expect_rows("\"\"\n", {{""}});
  expect_rows("\"a,b\",c\n", {{"a,b", "c"}});
  expect_rows("\"a\"\"b\"\n", {{"a\"b"}});
  expect_rows("\"a\nb\"\n", {{"a\nb"}});
  expect_rows("\"a\r\nb\",c\r\n", {{"a\r\nb", "c"}});
  expect_rows("\"a\"", {{"a"}});
  expect_rows("\"a\n\n\nb\"\nc\n", {{"a\n\n\nb"}, {"c"}});
  EXPECT_EQ(lines_, (std::vector<std::size_t>{1, 5}));
}

TEST_F(CsvTest, KeepsBlanks) {
  expect_rows(" a , b\t\n", {{" a ", " b\t"}});
  expect_rows("\" a \"\n", {{" a "}});
}

TEST_F(CsvTest, PassesOverByteOrderMarkInFrontOnly) {
  expect_rows("\xEF\xBB\xBFvoter,style\n", {{"voter", "style"}});
  expect_rows("\xEF\xBB\xBF", {});
  expect_rows("a\n\xEF\xBB\xBF\n", {{"a"}, {"\xEF\xBB\xBF"}});
}

TEST_F(CsvTest, NumbersLines) {
  expect_rows("a\nb\n\"c\nd\"\ne", {{"a"}, {"b"}, {"c\nd"}, {"e"}});
  EXPECT_EQ(lines_, (std::vector<std::size_t>{1, 2, 3, 5}));
}

TEST_F(CsvTest, ReadsAcrossChunks) {
  // Rows of 1 to 700 bytes: every way a chunk of 64 KiB can be cut occurs, within "\r\n" too.
  std::string text;
  Rows rows;
  for (std::size_t i = 0; i < 1400; ++i) {
    const std::string field(i % 700 + 1, static_cast<char>('a' + i % 26));
    const bool quoted = i % 3 == 0;
    text += quoted ? "\"" + field + "\"\"\n\"" : field;
    text += i % 2 == 0 ? ",x\r\n" : ",x\n";
    rows.push_back({quoted ? field + "\"\n" : field, "x"});
  }
  for (std::size_t shift = 0; shift < 5; ++shift) {
    Rows shifted = rows;
    shifted.front().front() = std::string(shift, 'z') + "a\"\n";
    std::string shifted_text = text;
    shifted_text.insert(1, std::string(shift, 'z'));
    expect_rows(shifted_text, shifted);
  }
}

TEST_F(CsvTest, RefusesMisplacedQuotes) {
  expect_refused("a\"b\n", 1, kQuote);
  expect_refused("x\na,b\"\n", 2, kQuote);
  expect_refused("x\n\"a\"b\n", 2, kQuote);
  expect_refused("\"a\" ,b\n", 1, kQuote);
  expect_refused(" \"a\"\n", 1, kQuote);
  expect_refused("\"a\nb\nc\"d\n", 3, kQuote);
}

TEST_F(CsvTest, RefusesUnclosedQuote) {
  expect_refused("\"", 1, "a quote opened in the row of line 1 is never closed");
  expect_refused("a\n\"b\nc\n", 3, "a quote opened in the row of line 2 is never closed");
  expect_refused("a\nb,\"c", 2, "a quote opened in the row of line 2 is never closed");
}

TEST_F(CsvTest, RefusesEmptyLines) {
  expect_refused("\n", 1, "is empty");
  expect_refused("\r\n", 1, "is empty");
  expect_refused("a\n\n", 2, "is empty");
  expect_refused("a\n\nb\n", 2, "is empty");
  expect_refused("a\r\n\r\nb\r\n", 2, "is empty");
  expect_refused("\"a\n\n\"\n\n", 4, "is empty");
}

TEST_F(CsvTest, RefusesLoneCarriageReturns) {
  const std::string why = "a carriage return alone does not end a line";
  expect_refused("a\rb\n", 1, why);
  expect_refused("a\rb", 1, why);
  expect_refused("a,b\rc,d\re,f\r", 1, why);
  expect_refused("x\na\r\"b\"\n", 2, why);
}

TEST_F(CsvTest, RefusesWhatIsNotText) {
  const std::string why = "a field is not UTF-8 text";
  expect_refused("a\n\xFF\n", 2, why);
  expect_refused("\xC3\n", 1, why);
  expect_refused(std::string("a,\0b\n", 5), 1, why);
  expect_refused(std::string(100, '\0'), 1, why);
}

TEST_F(CsvTest, BoundsFields) {
  const std::string longest(CsvReader::kMaxFieldBytes, 'a');
  expect_rows(longest + ",b\n", {{longest, "b"}});
  const std::string why = "a field is longer than 65536 bytes";
  expect_refused(longest + "a\n", 1, why);
  expect_refused("x\n\"" + longest + "a\"\n", 2, why);
  expect_refused("\"" + longest.substr(1) + "\n" + longest, 2, why);
  // Refused long before it is read whole.
  put("");
  std::filesystem::resize_file(path_, std::uintmax_t{1} << 30);
  auto csv = CsvReader::open(path_);
  ASSERT_TRUE(csv.has_value());
  const auto row = csv->next();
  ASSERT_FALSE(row.has_value());
  EXPECT_EQ(row.error().message, path_.string() + " line 1: " + why);
}

TEST_F(CsvTest, RefusesWhatIsNoFile) {
  const auto missing = CsvReader::open(path_ / "missing");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::environment);
  EXPECT_NE(missing.error().message.find("missing"), std::string::npos);
  const auto directory = CsvReader::open(std::filesystem::temp_directory_path());
  ASSERT_FALSE(directory.has_value());
  EXPECT_EQ(directory.error().code, Errc::environment);
}

TEST_F(CsvTest, WritesWhatItReads) {
  EXPECT_EQ(csv_line({"a", "b"}), "a,b\n");
  EXPECT_EQ(csv_line({"", ""}), ",\n");
  EXPECT_EQ(csv_line({"a,b", "c\"d", "e\nf", "g\rh"}), "\"a,b\",\"c\"\"d\",\"e\nf\",\"g\rh\"\n");
  const Rows rows = {{"", "x"}, {"a,b", "\""}, {"\"\"", "\r\n"}, {" ", "ψῆφος"}};
  std::string text;
  for (const Row& row : rows) {
    text += csv_line(row);
  }
  expect_rows(text, rows);
}

}  // namespace
}  // namespace psephos::csv
