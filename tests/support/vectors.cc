#include "tests/support/vectors.h"

#include <cstdlib>
#include <exception>
#include <fstream>
#include <stdexcept>

namespace psephos::test {
namespace {

using nlohmann::json;

std::filesystem::path folder(const char* variable, const char* fallback) {
  const char* value = std::getenv(variable);
  if (value != nullptr && *value != '\0') {
    return value;
  }
  return std::filesystem::path(PSEPHOS_TEST_SHARED_DIR) / fallback;
}

json load(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    throw std::runtime_error("cannot read " + file.string());
  }
  return json::parse(in);
}

// Calls visit(child, path) for each member or element.
template <class Visit>
void for_each_child(const json& value, const std::string& path, Visit visit) {
  for (const auto& [key, child] : value.items()) {
    visit(child, value.is_array() ? path + '[' + key + ']' : path + '.' + key);
  }
}

// Appends the topmost unread places at or below value; returns whether anything there was read.
bool collect_unread(const json& value, const std::string& path,
                    const std::unordered_set<const json*>& read, std::vector<std::string>& out) {
  if (read.contains(&value)) {
    return true;
  }
  const std::size_t before = out.size();
  bool any = false;
  if (value.is_structured()) {
    for_each_child(value, path, [&](const json& child, const std::string& child_path) {
      any |= collect_unread(child, child_path, read, out);
    });
  }
  if (!any) {
    out.resize(before);
    out.push_back(path);
  }
  return any;
}

std::string find_path(const json& value, const std::string& path, const json* wanted) {
  if (&value == wanted) {
    return path;
  }
  std::string found;
  if (value.is_structured()) {
    for_each_child(value, path, [&](const json& child, const std::string& child_path) {
      if (found.empty()) {
        found = find_path(child, child_path, wanted);
      }
    });
  }
  return found;
}

std::uint8_t digit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<std::uint8_t>(c - '0');
  }
  if (c >= 'a' && c <= 'f') {
    return static_cast<std::uint8_t>(c - 'a' + 10);
  }
  if (c >= 'A' && c <= 'F') {
    return static_cast<std::uint8_t>(c - 'A' + 10);
  }
  throw std::invalid_argument("not a hexadecimal digit");
}

}  // namespace

std::filesystem::path vectors_dir() { return folder("PSEPHOS_VECTORS", "vectors"); }
std::filesystem::path data_dir() { return folder("PSEPHOS_DATA", "data"); }

void Field::wrong(std::string_view expected) const {
  throw std::runtime_error(document_->path_of(value_) + ": expected " + std::string(expected));
}

void Field::mark_read() const { document_->read_.insert(value_); }

Field Field::operator[](std::string_view key) const {
  if (!has(key)) {
    wrong("a member \"" + std::string(key) + '"');
  }
  return {document_, &value_->at(key)};
}

Field Field::operator[](std::size_t index) const {
  if (!value_->is_array() || index >= value_->size()) {
    wrong("an element " + std::to_string(index));
  }
  return {document_, &value_->at(index)};
}

bool Field::has(std::string_view key) const {
  if (!value_->is_object()) {
    wrong("an object");
  }
  return value_->contains(key);
}

bool Field::is_null() const {
  if (value_->is_null()) {
    mark_read();
  }
  return value_->is_null();
}

std::string Field::str() const {
  if (!value_->is_string()) {
    wrong("a string");
  }
  mark_read();
  return value_->get<std::string>();
}

Bytes Field::hex() const {
  const std::string text = str();
  Bytes out;
  out.reserve(text.size() / 2);
  try {
    for (std::size_t i = 0; i < text.size(); i += 2) {
      out.push_back(static_cast<std::uint8_t>(16 * digit(text[i]) + digit(text.at(i + 1))));
    }
  } catch (const std::logic_error&) {
    wrong("pairs of hexadecimal digits");
  }
  return out;
}

std::uint64_t Field::u64() const {
  if (!value_->is_number_unsigned()) {
    wrong("an integer, 0 or more");
  }
  mark_read();
  return value_->get<std::uint64_t>();
}

std::int64_t Field::i64() const {
  if (!value_->is_number_integer()) {
    wrong("an integer");
  }
  mark_read();
  return value_->get<std::int64_t>();
}

bool Field::boolean() const {
  if (!value_->is_boolean()) {
    wrong("true or false");
  }
  mark_read();
  return value_->get<bool>();
}

std::vector<Field> Field::array() const {
  if (!value_->is_array()) {
    wrong("an array");
  }
  if (value_->empty()) {
    mark_read();
  }
  std::vector<Field> out;
  out.reserve(value_->size());
  for (const json& item : *value_) {
    out.push_back({document_, &item});
  }
  return out;
}

std::vector<std::pair<std::string, Field>> Field::members() const {
  if (!value_->is_object()) {
    wrong("an object");
  }
  if (value_->empty()) {
    mark_read();
  }
  std::vector<std::pair<std::string, Field>> out;
  for (const auto& [key, item] : value_->items()) {
    out.emplace_back(key, Field{document_, &item});
  }
  return out;
}

void Field::ignore(std::string_view key, std::string_view /*reason*/) const {
  (*this)[key].mark_read();
}

Consuming::Consuming(const std::filesystem::path& file, std::string_view section)
    : Consuming(load(file)) {
  if (!section.empty()) {
    root_ = root()[section].value_;
  }
}

Consuming::Consuming(json document) : document_(std::move(document)), root_(&document_) {
  if (document_.is_object()) {
    for (const char* prose : {"about", "layout", "source", "checked"}) {
      if (document_.contains(prose)) {
        root().ignore(prose, "the file's description of itself");
      }
    }
  }
}

Consuming::~Consuming() {
  if (std::uncaught_exceptions() == 0 && !::testing::Test::HasFatalFailure()) {
    finish();
  }
}

std::string Consuming::path_of(const json* wanted) const { return find_path(*root_, "$", wanted); }

std::vector<std::string> Consuming::unread() const {
  std::vector<std::string> out;
  collect_unread(*root_, "$", read_, out);
  return out;
}

void Consuming::finish() {
  if (finished_) {
    return;
  }
  finished_ = true;
  constexpr std::size_t kShown = 20;
  const std::vector<std::string> places = unread();
  for (std::size_t i = 0; i < places.size() && i < kShown; ++i) {
    ADD_FAILURE() << "vector field not read by this test: " << places[i];
  }
  if (places.size() > kShown) {
    ADD_FAILURE() << "and " << places.size() - kShown << " more";
  }
}

}  // namespace psephos::test
