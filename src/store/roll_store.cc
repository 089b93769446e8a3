#include "src/store/roll_store.h"

#include <algorithm>

#include "src/store/database.h"

namespace psephos::store {

namespace {

struct ImportState {
  std::uint64_t number;
  bool active;
};

Result<std::optional<ImportState>> find_import(Session& session, const Digest32& digest) {
  PSEPHOS_TRY(Query find, session.query("SELECT number, active FROM imports WHERE digest = ?1"));
  PSEPHOS_TRY(const bool found, find.bind(ByteView(digest)).next());
  if (!found) {
    return std::nullopt;
  }
  return ImportState{find.integer(0), find.integer(1) != 0};
}

Result<ImportState> need_import(Session& session, const Digest32& digest) {
  PSEPHOS_TRY(const auto import, find_import(session, digest));
  if (!import.has_value()) {
    return fail(Errc::misuse, session.path() + ": no list with digest " + hex(digest) +
                                  " was imported; import it first");
  }
  return *import;
}

Result<Digest32> digest_of(const Session& session, ByteView bytes) {
  Digest32 digest{};
  if (bytes.size() != digest.size()) {
    return fail(Errc::environment, session.path() + ": a hash of " + std::to_string(bytes.size()) +
                                       " bytes: the file is damaged; restore a backup");
  }
  std::ranges::copy(bytes, digest.begin());
  return digest;
}

Result<void> add_voter(Session& session, const RollRow& row, std::uint64_t import) {
  const std::string who =
      "line " + std::to_string(row.line) + ": voter \"" + printable(row.voter) + "\"";
  PSEPHOS_TRY(Query find, session.query("SELECT style, import FROM voters WHERE voter = ?1"));
  PSEPHOS_TRY(const bool found, find.bind(row.voter).next());
  if (found && find.integer(1) == import) {
    return fail(Errc::misuse, who + " stands in this list twice; remove one of the lines");
  }
  if (found) {
    return fail(Errc::misuse, who + " is on the roll already, with " +
                                  (find.integer(0) == row.style ? "this style" : "another style") +
                                  ", from list " + std::to_string(find.integer(1)) +
                                  "; remove the line");
  }
  PSEPHOS_TRY(Query insert, session.query("INSERT INTO voters (voter, style, code_hash, import) "
                                          "VALUES (?1, ?2, ?3, ?4)"));
  insert.bind(row.voter).bind(row.style);
  row.code_hash.has_value() ? insert.bind(ByteView(*row.code_hash)) : insert.bind(std::nullopt);
  return insert.bind(import).run();
}

Result<std::uint64_t> add_list(Session& session, std::span<const RollRow> rows,
                               const Digest32& digest, ByteView message) {
  PSEPHOS_CHECK_OK(session.run(
      "DELETE FROM voters WHERE import IN (SELECT number FROM imports WHERE active = 0);"
      "DELETE FROM imports WHERE active = 0"));
  PSEPHOS_TRY(const auto before, find_import(session, digest));
  if (before.has_value()) {
    return fail(Errc::misuse, session.path() + ": this list was imported already, as list " +
                                  std::to_string(before->number));
  }
  PSEPHOS_TRY(Query newest, session.query("SELECT coalesce(max(number), 0) FROM imports"));
  PSEPHOS_TRY(const bool row, newest.next());
  PSEPHOS_CHECK(row);
  const std::uint64_t number = newest.integer(0) + 1;
  PSEPHOS_TRY(Query insert, session.query("INSERT INTO imports (number, digest, message, active) "
                                          "VALUES (?1, ?2, ?3, 0)"));
  PSEPHOS_CHECK_OK(insert.bind(number).bind(ByteView(digest)).bind(message).run());
  for (const RollRow& voter : rows) {
    PSEPHOS_CHECK_OK(add_voter(session, voter, number));
  }
  return number;
}

}  // namespace

Result<std::uint64_t> RollStore::import_list(std::span<const RollRow> rows, const Digest32& digest,
                                             ByteView message) {
  std::uint64_t number = 0;
  const auto taken = database_->write([&](Session& session) -> Result<void> {
    PSEPHOS_TRY(number, add_list(session, rows, digest, message));
    return {};
  });
  if (!taken.has_value()) {
    return std::unexpected(taken.error());
  }
  return number;
}

Result<void> RollStore::activate(const Digest32& digest) {
  return database_->write([&](Session& session) -> Result<void> {
    PSEPHOS_TRY(const ImportState import, need_import(session, digest));
    PSEPHOS_TRY(Query update, session.query("UPDATE imports SET active = 1 WHERE number = ?1"));
    return update.bind(import.number).run();
  });
}

Result<std::optional<RollVoter>> RollStore::find(std::string_view voter) const {
  return database_->read([&](Session& session) -> Result<std::optional<RollVoter>> {
    PSEPHOS_TRY(Query find,
                session.query("SELECT v.style, v.code_hash, i.active FROM voters v "
                              "JOIN imports i ON i.number = v.import WHERE v.voter = ?1"));
    PSEPHOS_TRY(const bool found, find.bind(voter).next());
    if (!found) {
      return std::nullopt;
    }
    RollVoter result{.style = static_cast<std::uint32_t>(find.integer(0)),
                     .code_hash = std::nullopt,
                     .active = find.integer(2) != 0};
    if (!find.is_null(1)) {
      PSEPHOS_TRY(result.code_hash, digest_of(session, find.blob(1)));
    }
    return result;
  });
}

Result<std::vector<StyleCount>> RollStore::count() const {
  return database_->read([](Session& session) -> Result<std::vector<StyleCount>> {
    PSEPHOS_TRY(Query rows, session.query("SELECT v.style, count(*), sum(i.active) FROM voters v "
                                          "JOIN imports i ON i.number = v.import "
                                          "GROUP BY v.style ORDER BY v.style"));
    std::vector<StyleCount> counts;
    for (;;) {
      PSEPHOS_TRY(const bool more, rows.next());
      if (!more) {
        return counts;
      }
      counts.push_back(StyleCount{static_cast<std::uint32_t>(rows.integer(0)), rows.integer(1),
                                  rows.integer(2)});
    }
  });
}

Result<std::vector<RollImport>> RollStore::imports() const {
  return database_->read([](Session& session) -> Result<std::vector<RollImport>> {
    PSEPHOS_TRY(Query rows, session.query("SELECT number, digest, message, active FROM imports "
                                          "ORDER BY number"));
    std::vector<RollImport> imports;
    for (;;) {
      PSEPHOS_TRY(const bool more, rows.next());
      if (!more) {
        return imports;
      }
      RollImport import;
      import.number = rows.integer(0);
      PSEPHOS_TRY(import.digest, digest_of(session, rows.blob(1)));
      import.message.assign(rows.blob(2).begin(), rows.blob(2).end());
      import.active = rows.integer(3) != 0;
      imports.push_back(std::move(import));
    }
  });
}

}  // namespace psephos::store
