#include "src/csv/csv.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <span>
#include <system_error>
#include <utility>

#include <csv.h>

namespace psephos::csv {

namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} << 10;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

int never(unsigned char /*c*/) { return 0; }

struct CloseFile {
  void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
};

}  // namespace

// The file is given to libcsv in pieces that end with a line, so that the reader knows which line a
// row or an error is on. libcsv's callbacks collect fields into `fields`, and a finished row into
// `row`.
struct CsvReader::State {
  explicit State(std::filesystem::path file_path, std::FILE* open_file)
      : path(std::move(file_path)), file(open_file) {
    ready = csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) == 0;
    csv_set_space_func(&parser, never);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  State(State&&) = delete;
  State& operator=(State&&) = delete;
  ~State() { csv_free(&parser); }

  static void take_field(void* bytes, std::size_t size, void* state) {
    auto* self = static_cast<State*>(state);
    self->lone_return = self->lone_return || self->after_return;
    self->fields.emplace_back(static_cast<const char*>(bytes), size);
  }
  static void take_row(int end, void* state) {
    auto* self = static_cast<State*>(state);
    self->has_row = true;
    self->after_return = end == '\r';
    self->row = std::move(self->fields);
    self->fields.clear();
  }

  [[nodiscard]] std::unexpected<Error> wrong(std::string_view what) const {
    return fail(Errc::malformed,
                path.string() + " line " + std::to_string(lines) + ": " + std::string(what));
  }

  Result<void> read_chunk();
  Result<void> parse(std::span<const char> piece);
  Result<void> finish();
  [[nodiscard]] Result<void> check_row() const;

  std::filesystem::path path;
  Bytes content;  // of what is no file
  std::unique_ptr<std::FILE, CloseFile> file;
  csv_parser parser{};
  bool ready = false;
  bool ended = false;
  std::array<char, kChunkBytes> chunk{};
  std::span<const char> rest;  // of the chunk
  bool at_start = true;
  bool mid_line = false;
  std::size_t lines = 0;     // begun so far
  std::size_t row_line = 0;  // where the row in the making began
  std::size_t line_of_last = 0;
  bool has_row = false;       // made by the present piece
  bool after_return = false;  // a carriage return ended a row; a line feed must follow
  bool lone_return = false;
  Row fields;
  Row row;
};

Result<void> CsvReader::State::read_chunk() {
  const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file.get());
  if (std::ferror(file.get()) != 0) {
    return fail(Errc::environment,
                path.string() + ": cannot read: " + std::generic_category().message(errno));
  }
  ended = got < chunk.size();
  rest = std::span(chunk).first(got);
  if (at_start && std::string_view(rest.data(), rest.size()).starts_with(kByteOrderMark)) {
    rest = rest.subspan(kByteOrderMark.size());
  }
  at_start = false;
  return {};
}

// A piece holds at most one line; a line longer than a chunk comes in several.
Result<void> CsvReader::State::parse(std::span<const char> piece) {
  const bool in_row = parser.quoted != 0 || parser.entry_pos != 0 || !fields.empty();
  if (!mid_line) {
    ++lines;
    const bool is_empty = piece.front() == '\n' || (piece.size() == 2 && piece.front() == '\r');
    if (is_empty && parser.quoted == 0) {
      return wrong("is empty");
    }
  }
  if (!in_row) {
    row_line = lines;
  }
  mid_line = piece.back() != '\n';
  if (csv_parse(&parser, piece.data(), piece.size(), take_field, take_row, this) != piece.size()) {
    if (csv_error(&parser) == CSV_ENOMEM) {
      return fail(Errc::environment, path.string() + ": out of memory");
    }
    return wrong(
        "a quote stands where none may; quote the whole field and double the quotes in it");
  }
  if (lone_return) {
    return wrong("a carriage return alone does not end a line");
  }
  after_return = after_return && mid_line;
  if (parser.entry_pos > kMaxFieldBytes) {
    return wrong("a field is longer than " + std::to_string(kMaxFieldBytes) + " bytes");
  }
  return {};
}

Result<void> CsvReader::State::finish() {
  if (csv_fini(&parser, take_field, take_row, this) != 0) {
    return wrong("a quote opened in the row of line " + std::to_string(row_line) +
                 " is never closed");
  }
  if (lone_return) {
    return wrong("a carriage return alone does not end a line");
  }
  return {};
}

Result<void> CsvReader::State::check_row() const {
  for (const std::string& field : row) {
    if (field.size() > kMaxFieldBytes) {
      return wrong("a field is longer than " + std::to_string(kMaxFieldBytes) + " bytes");
    }
    if (!is_utf8(field) || field.find('\0') != std::string::npos) {
      return wrong("a field is not UTF-8 text");
    }
  }
  return {};
}

CsvReader::CsvReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
CsvReader::CsvReader(CsvReader&&) noexcept = default;
CsvReader& CsvReader::operator=(CsvReader&&) noexcept = default;
CsvReader::~CsvReader() = default;

Result<CsvReader> CsvReader::open(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return fail(Errc::environment, path.string() + ": is not a file");
  }
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) {
    return fail(Errc::environment,
                path.string() + ": cannot open: " + std::generic_category().message(errno));
  }
  return start(std::make_unique<State>(path, file));
}

Result<CsvReader> CsvReader::over(const std::string& name, Bytes content) {
  auto state = std::make_unique<State>(name, nullptr);
  state->content = std::move(content);
  if (state->content.empty()) {
    state->ended = true;
  } else {
    state->file.reset(::fmemopen(state->content.data(), state->content.size(), "rb"));
    if (state->file == nullptr) {
      return fail(Errc::environment,
                  name + ": cannot read: " + std::generic_category().message(errno));
    }
  }
  return start(std::move(state));
}

Result<CsvReader> CsvReader::start(std::unique_ptr<State> state) {
  if (!state->ready) {
    return fail(Errc::environment, state->path.string() + ": the CSV parser could not be started");
  }
  return CsvReader(std::move(state));
}

Result<std::optional<CsvReader::Row>> CsvReader::next() {
  State& state = *state_;
  while (true) {
    if (state.rest.empty() && !state.ended) {
      PSEPHOS_CHECK_OK(state.read_chunk());
    }
    state.has_row = false;
    const bool last = state.rest.empty();
    if (last) {
      PSEPHOS_CHECK_OK(state.finish());
    } else {
      const auto end = std::ranges::find(state.rest, '\n');
      const std::size_t size =
          static_cast<std::size_t>(end - state.rest.begin()) + (end == state.rest.end() ? 0 : 1);
      PSEPHOS_CHECK_OK(state.parse(state.rest.first(size)));
      state.rest = state.rest.subspan(size);
    }
    if (state.has_row) {
      state.line_of_last = state.row_line;
      PSEPHOS_CHECK_OK(state.check_row());
      return std::move(state.row);
    }
    if (last) {
      return std::optional<Row>();
    }
  }
}

std::size_t CsvReader::line() const { return state_->line_of_last; }

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string& field = fields[i];
    if (i != 0) {
      line += ',';
    }
    if (field.find_first_of("\",\r\n") == std::string::npos) {
      line += field;
      continue;
    }
    line += '"';
    for (const char c : field) {
      line += c;
      if (c == '"') {
        line += '"';
      }
    }
    line += '"';
  }
  return line + '\n';
}

}  // namespace psephos::csv
