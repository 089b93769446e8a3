// Reading and writing CSV (RFC 4180) at the edge; libcsv parses. Rows are read one at a
// time: memory does not grow with the file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::csv {

// CsvReader reads strictly. Errc::malformed, with the file's name and the line, for: a quote inside
// an unquoted field, text after a closing quote, a quote never closed, an empty line, a field of
// more than kMaxFieldBytes, text that is not UTF-8 or holds NUL. Blanks around a field belong to
// it. A byte order mark in front is passed over. How many fields a row must have is for the caller
// to say.
class CsvReader {
 public:
  using Row = std::vector<std::string>;
  static constexpr std::size_t kMaxFieldBytes = std::size_t{64} << 10;

  // Errc::environment if the file cannot be read.
  static Result<CsvReader> open(const std::filesystem::path& path);
  // over reads what is in memory already; `name` stands for the file in messages.
  static Result<CsvReader> over(const std::string& name, Bytes content);
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;
  CsvReader(CsvReader&&) noexcept;
  CsvReader& operator=(CsvReader&&) noexcept;
  ~CsvReader();

  // next returns nothing at the end of the file.
  Result<std::optional<Row>> next();
  // line is the line on which the row returned last begins, from 1.
  [[nodiscard]] std::size_t line() const;

 private:
  struct State;
  explicit CsvReader(std::unique_ptr<State> state);
  static Result<CsvReader> start(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// csv_line writes a row with its line end; a field is quoted if it must be.
[[nodiscard]] std::string csv_line(const std::vector<std::string>& fields);

}  // namespace psephos::csv
