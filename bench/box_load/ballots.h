// The file of ballots that `box_load prepare` makes: u32 length ‖ type ‖ body, one after another.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

namespace psephos::load {

// Ballots maps the file: what is sent is never copied.
class Ballots {
 public:
  static Result<Ballots> open(const std::filesystem::path& path);
  Ballots(Ballots&& other) noexcept;
  Ballots(const Ballots&) = delete;
  Ballots& operator=(const Ballots&) = delete;
  Ballots& operator=(Ballots&&) = delete;
  ~Ballots();

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] ByteView operator[](std::size_t i) const { return entries_[i]; }

 private:
  Ballots() = default;
  ByteView file_;
  std::vector<ByteView> entries_;
};

// Receipts by the ballot's number in its file, kept as: u32 number ‖ u32 length ‖ text.
using Receipts = std::map<std::size_t, std::string>;
Result<Receipts> read_receipts(const std::filesystem::path& path);
Result<void> write_receipts(const std::filesystem::path& path, const Receipts& receipts);

}  // namespace psephos::load
