// The roll of a registrar, in the file of its store: who may vote, in which style, and a keyed hash
// of the one-time code. Lists come in whole; each is good once it is active, which it becomes when
// its signed message stands in the main log.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"

#include "src/store/sqlite_store.h"

namespace psephos::store {

struct RollRow {
  std::string voter;
  std::uint32_t style = 0;
  std::optional<Digest32> code_hash;  // computed by the caller; codes are stored nowhere
  std::uint64_t line = 0;             // in the list it came from, for messages
};

struct RollVoter {
  std::uint32_t style = 0;
  std::optional<Digest32> code_hash;
  bool active = false;
  friend bool operator==(const RollVoter&, const RollVoter&) = default;
};

struct RollImport {
  std::uint64_t number = 0;  // 1, 2, …
  Digest32 digest{};
  Bytes message;  // the signed roll message
  bool active = false;
  friend bool operator==(const RollImport&, const RollImport&) = default;
};

struct StyleCount {
  std::uint32_t style = 0;
  std::uint64_t voters = 0;
  std::uint64_t active = 0;  // of these
  friend bool operator==(const StyleCount&, const StyleCount&) = default;
};

// RollStore: thread-safe as its store is.
class RollStore {
 public:
  explicit RollStore(SqliteStore& store) : database_(&store.database()) {}

  // import_list takes a whole list or nothing of it, and returns its number; it is not yet active.
  // Lists that are not active go as it comes: one at a time waits to be announced. Errc::misuse,
  // and all is as before: a voter is on the roll already (the message names voter and line), is
  // twice in the list, or a list of this digest is active.
  Result<std::uint64_t> import_list(std::span<const RollRow> rows, const Digest32& digest,
                                    ByteView message);
  // activate makes a list good; once more changes nothing. Errc::misuse if there is no such list.
  Result<void> activate(const Digest32& digest);

  [[nodiscard]] Result<std::optional<RollVoter>> find(std::string_view voter) const;
  [[nodiscard]] Result<std::vector<StyleCount>> count() const;  // ascending by style
  [[nodiscard]] Result<std::vector<RollImport>> imports() const;

 private:
  Database* database_;
};

}  // namespace psephos::store
