#include "psephos/protocol/manifest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <initializer_list>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/tile.h"

namespace psephos::protocol {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kMaxTextBytes = 256;
// Ballots of one credential with "revote": "last". Bounded, for each costs every verifier a proof.
constexpr std::uint32_t kDefaultBallots = 10;
constexpr std::uint32_t kMaxBallots = 1000;
constexpr std::uint64_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMaxVoters = std::uint64_t{1} << 40;
// What a total must stay below to be found (docs/spec.md §8.2).
constexpr std::uint64_t kTotalLimit = std::uint64_t{1} << 44;

// A piece of the file as it may stand in a message, without and with quotes.
std::string excerpt(std::string_view text) {
  constexpr std::size_t kMax = 64;
  std::size_t size = std::min(text.size(), kMax);
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) {
    --size;  // not in the middle of a character
  }
  return printable(text.substr(0, size)) + (text.size() > kMax ? "…" : "");
}
std::string shown(std::string_view text) { return "\"" + excerpt(text) + "\""; }

std::string member_path(const std::string& object, std::string_view key) {
  return object.empty() ? std::string(key) : object + "." + std::string(key);
}

std::string element_path(const std::string& array, std::size_t index) {
  return array + "[" + std::to_string(index) + "]";
}

// StrictTree builds the tree of a JSON text and refuses what nlohmann would let pass: repeated keys
// and deep nesting.
class StrictTree final : public nlohmann::json_sax<json> {
 public:
  explicit StrictTree(std::string_view text) : text_(text) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t& /*digits*/) override {
    return put(value);
  }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(std::size_t /*size*/) override { return open(json::object()); }
  bool start_array(std::size_t /*size*/) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    const auto [place, is_new] = open_.back().value->emplace(key, nullptr);
    if (!is_new) {
      return refuse(open_.back().path.empty() ? "" : open_.back().path + ": ",
                    "the key " + shown(key) + " occurs twice");
    }
    slot_ = &*place;
    slot_path_ = member_path(open_.back().path, excerpt(key));
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*last_token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    const std::string_view before = text_.substr(0, position == 0 ? 0 : position - 1);
    const auto line = std::ranges::count(before, '\n') + 1;
    return refuse("line " + std::to_string(line) + ": ", "not JSON");
  }

  [[nodiscard]] const json& root() const { return root_; }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  struct Container {
    json* value;
    std::string path;
  };

  bool refuse(const std::string& place, const std::string& why) {
    error_ = place + why;
    return false;
  }
  // Puts a value where the text stands and leaves slot_ and slot_path_ there.
  bool put(json value) {
    if (!open_.empty() && open_.back().value->is_array()) {
      json& array = *open_.back().value;
      slot_path_ = element_path(open_.back().path, array.size());
      array.push_back(std::move(value));
      slot_ = &array.back();
    } else {
      *slot_ = std::move(value);
    }
    return true;
  }
  bool open(json container) {
    put(std::move(container));
    if (open_.size() == kMaxDepth) {
      return refuse("", "nested deeper than " + std::to_string(kMaxDepth));
    }
    open_.push_back({slot_, slot_path_});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view text_;
  json root_;
  json* slot_ = &root_;
  std::string slot_path_;
  std::vector<Container> open_;
  std::string error_;
};

// Field is a value of the manifest with its path.
class Field {
 public:
  Field(const json& value, std::string path) : value_(&value), path_(std::move(path)) {}

  [[nodiscard]] std::unexpected<Error> refuse(const std::string& why) const {
    return fail(Errc::malformed, (path_.empty() ? "manifest" : path_) + ": " + why);
  }

  // object wants an object with every required key and no other but the optional ones.
  [[nodiscard]] Result<void> object(std::initializer_list<std::string_view> required,
                                    std::initializer_list<std::string_view> optional = {}) const {
    if (!value_->is_object()) {
      return refuse("must be an object");
    }
    for (const std::string_view key : required) {
      PSEPHOS_CHECK_OK(require(key));
    }
    for (const auto& member : value_->items()) {
      if (std::ranges::find(required, member.key()) == required.end() &&
          std::ranges::find(optional, member.key()) == optional.end()) {
        return refuse("unknown key " + shown(member.key()));
      }
    }
    return {};
  }
  [[nodiscard]] bool has(std::string_view key) const { return value_->contains(key); }
  [[nodiscard]] Result<void> require(std::string_view key) const {
    if (!has(key)) {
      return fail(Errc::malformed, member_path(path_, key) + ": missing");
    }
    return {};
  }
  // The key must be there.
  [[nodiscard]] Field operator[](std::string_view key) const {
    return {value_->at(std::string(key)), member_path(path_, key)};
  }

  [[nodiscard]] Result<std::vector<Field>> array(std::size_t min, std::size_t max) const {
    if (!value_->is_array()) {
      return refuse("must be an array");
    }
    if (value_->size() < min || value_->size() > max) {
      return refuse("has " + std::to_string(value_->size()) + " elements, must have " +
                    std::to_string(min) + " to " + std::to_string(max));
    }
    std::vector<Field> elements;
    elements.reserve(value_->size());
    for (std::size_t i = 0; i < value_->size(); ++i) {
      elements.emplace_back((*value_)[i], element_path(path_, i));
    }
    return elements;
  }

  [[nodiscard]] Result<std::string> text(std::size_t max_bytes = kMaxTextBytes) const {
    if (!value_->is_string()) {
      return refuse("must be text");
    }
    const auto& text = value_->get_ref<const std::string&>();
    if (text.empty() || text.size() > max_bytes) {
      return refuse("has " + std::to_string(text.size()) + " bytes, must have 1 to " +
                    std::to_string(max_bytes));
    }
    if (has_control(text)) {
      return refuse("holds a control character");
    }
    return text;
  }
  // word is a text of a few ASCII characters: a-z, 0-9 and those of `others`.
  [[nodiscard]] Result<std::string> word(std::size_t max_bytes, std::string_view others) const {
    PSEPHOS_TRY(std::string word, text(max_bytes));
    const auto is_allowed = [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || others.contains(c);
    };
    if (!std::ranges::all_of(word, is_allowed)) {
      std::string list = "a-z 0-9";
      for (const char c : others) {
        list += std::string(" ") + c;
      }
      return refuse(shown(word) + " may hold only " + list);
    }
    return word;
  }
  [[nodiscard]] Result<std::string> id() const { return word(64, "-_"); }

  [[nodiscard]] Result<std::uint64_t> integer(std::uint64_t min, std::uint64_t max) const {
    const std::string range = std::to_string(min) + " to " + std::to_string(max);
    if (!value_->is_number_unsigned()) {
      return refuse("must be an integer from " + range);
    }
    const auto value = value_->get<std::uint64_t>();
    if (value < min || value > max) {
      return refuse(std::to_string(value) + " is not in " + range);
    }
    return value;
  }
  [[nodiscard]] Result<std::uint32_t> u32(std::uint64_t min, std::uint64_t max = kMaxU32) const {
    PSEPHOS_TRY(const std::uint64_t value, integer(min, max));
    return static_cast<std::uint32_t>(value);
  }

  // choice is the word's position among those allowed.
  [[nodiscard]] Result<std::size_t> choice(std::initializer_list<std::string_view> words) const {
    std::string list;
    for (const std::string_view* word = words.begin(); word != words.end(); ++word) {
      if (value_->is_string() && value_->get_ref<const std::string&>() == *word) {
        return static_cast<std::size_t>(word - words.begin());
      }
      list += (list.empty() ? "" : " or ") + shown(*word);
    }
    return refuse("must be " + list);
  }

  // time is YYYY-MM-DDThh:mm:ssZ.
  [[nodiscard]] Result<std::string> time() const {
    PSEPHOS_TRY(std::string time, text());
    if (!is_time(time)) {
      return refuse(shown(time) + " is not a time as 2026-05-31T18:00:00Z");
    }
    return time;
  }

 private:
  static bool is_time(std::string_view time) {
    constexpr std::string_view kShape = "0000-00-00T00:00:00Z";
    const auto fits = [](char c, char shape) {
      return shape == '0' ? c >= '0' && c <= '9' : c == shape;
    };
    if (!std::ranges::equal(time, kShape, fits)) {
      return false;
    }
    const auto number = [&](std::size_t at, std::size_t size) {
      unsigned value = 0;
      std::from_chars(&time[at], &time[at] + size, value);
      return value;
    };
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(number(0, 4))),
                                           std::chrono::month(number(5, 2)),
                                           std::chrono::day(number(8, 2))};
    return date.ok() && number(11, 2) < 24 && number(14, 2) < 60 && number(17, 2) < 60;
  }

  const json* value_;
  std::string path_;
};

std::unexpected<Error> refuse_repeated(const Field& field, std::string_view text) {
  return field.refuse(shown(text) + " occurs twice");
}

// read_texts reads 1…max distinct texts.
Result<std::vector<std::string>> read_texts(const Field& field, std::size_t max) {
  PSEPHOS_TRY(const std::vector<Field> elements, field.array(1, max));
  std::vector<std::string> texts;
  std::set<std::string> seen;
  for (const Field& element : elements) {
    PSEPHOS_TRY(std::string text, element.text());
    if (!seen.insert(text).second) {
      return refuse_repeated(element, text);
    }
    texts.push_back(std::move(text));
  }
  return texts;
}

Result<crypto::ContestRule> read_rule(const Field& field, ContestType type, std::uint32_t options) {
  crypto::ContestRule rule{.options = options, .range = 1, .min = 0, .max = 0};
  if (type == ContestType::choose) {
    if (field.has("range")) {
      return field["range"].refuse("only a contest of type \"score\" has one");
    }
  } else {
    PSEPHOS_CHECK_OK(field.require("range"));
    PSEPHOS_TRY(rule.range, field["range"].u32(1));
  }
  const std::uint64_t largest_sum = std::uint64_t{rule.options} * rule.range;
  if (largest_sum > kMaxU32) {
    return field["range"].refuse("the largest sum, " + std::to_string(largest_sum) +
                                 ", is 2^32 or more");
  }
  rule.max = static_cast<std::uint32_t>(largest_sum);
  if (type == ContestType::score && !field.has("min") && !field.has("max")) {
    return rule;
  }
  PSEPHOS_CHECK_OK(field.require("min"));
  PSEPHOS_CHECK_OK(field.require("max"));
  PSEPHOS_TRY(rule.min, field["min"].u32(0));
  PSEPHOS_TRY(rule.max, field["max"].u32(0));
  if (rule.max > largest_sum) {
    return field["max"].refuse(std::to_string(rule.max) + " is more than the largest sum, " +
                               std::to_string(largest_sum));
  }
  if (rule.min > rule.max) {
    return field["min"].refuse(std::to_string(rule.min) + " is more than max, " +
                               std::to_string(rule.max));
  }
  return rule;
}

Result<Contest> read_contest(const Field& field) {
  PSEPHOS_CHECK_OK(field.object({"id", "title", "type", "options"}, {"range", "min", "max"}));
  Contest contest;
  PSEPHOS_TRY(contest.id, field["id"].id());
  PSEPHOS_TRY(contest.title, field["title"].text());
  PSEPHOS_TRY(const std::size_t type, field["type"].choice({"choose", "score"}));
  contest.type = type == 0 ? ContestType::choose : ContestType::score;
  PSEPHOS_TRY(contest.options, read_texts(field["options"], 4096));
  PSEPHOS_TRY(contest.rule,
              read_rule(field, contest.type, static_cast<std::uint32_t>(contest.options.size())));
  return contest;
}

Result<std::vector<Contest>> read_contests(const Field& field) {
  PSEPHOS_TRY(const std::vector<Field> elements, field.array(1, 256));
  std::vector<Contest> contests;
  std::set<std::string> ids;
  for (const Field& element : elements) {
    PSEPHOS_TRY(Contest contest, read_contest(element));
    if (!ids.insert(contest.id).second) {
      return refuse_repeated(element["id"], contest.id);
    }
    contests.push_back(std::move(contest));
  }
  return contests;
}

Result<BallotStyle> read_style(const Field& field, const std::vector<Contest>& contests) {
  PSEPHOS_CHECK_OK(field.object({"id", "contests"}));
  BallotStyle style;
  PSEPHOS_TRY(style.id, field["id"].id());
  PSEPHOS_TRY(const std::vector<Field> elements, field["contests"].array(1, contests.size()));
  std::vector<crypto::ContestRule> rules;
  for (const Field& element : elements) {
    PSEPHOS_TRY(const std::string contest_id, element.id());
    const auto contest = std::ranges::find(contests, contest_id, &Contest::id);
    if (contest == contests.end()) {
      return element.refuse("there is no contest " + shown(contest_id));
    }
    const auto position = static_cast<std::uint32_t>(contest - contests.begin());
    if (std::ranges::find(style.contests, position) != style.contests.end()) {
      return refuse_repeated(element, contest_id);
    }
    style.contests.push_back(position);
    rules.push_back(contest->rule);
  }
  auto form = crypto::BallotForm::compile(rules);
  if (!form.has_value()) {
    return field.refuse(form.error().message);
  }
  style.form = *std::move(form);
  return style;
}

Result<std::vector<BallotStyle>> read_styles(const Field& field,
                                             const std::vector<Contest>& contests) {
  PSEPHOS_TRY(const std::vector<Field> elements, field.array(1, 4096));
  std::vector<BallotStyle> styles;
  std::set<std::string> ids;
  for (const Field& element : elements) {
    PSEPHOS_TRY(BallotStyle style, read_style(element, contests));
    if (!ids.insert(style.id).second) {
      return refuse_repeated(element["id"], style.id);
    }
    styles.push_back(std::move(style));
  }
  return styles;
}

Result<std::vector<crypto::NoteVerifier>> read_witness_keys(const Field& field) {
  PSEPHOS_TRY(const std::vector<Field> elements, field.array(0, 64));
  std::vector<crypto::NoteVerifier> witnesses;
  std::set<std::string> names;
  std::set<crypto::Ed25519PublicKey> keys;
  for (const Field& element : elements) {
    PSEPHOS_TRY(const std::string vkey, element.text(kMaxManifestBytes));
    auto witness = crypto::NoteVerifier::parse(vkey);
    if (!witness.has_value()) {
      return element.refuse(witness.error().message);
    }
    if (witness->algorithm() != crypto::NoteAlgorithm::cosignature_v1) {
      return element.refuse("a witness's key must be of algorithm 4 (cosignature/v1)");
    }
    if (!names.insert(witness->name()).second) {
      return element.refuse("the name " + shown(witness->name()) + " occurs twice");
    }
    if (!keys.insert(witness->key()).second) {
      return element.refuse("this key occurs twice");
    }
    witnesses.push_back(*std::move(witness));
  }
  return witnesses;
}

// What takes more than one field to check. Every entry of the main log is bounded here: a roster is
// shorter than the opening, a close has at most 272 trees, and a contest whose challenges fit an
// entry has at most 651 options, whose tally, decryption and result fit too.
Result<void> check_whole(const Field& root, const Manifest& manifest) {
  std::vector<bool> used(manifest.contests.size());
  for (std::uint32_t s = 0; s < manifest.num_styles(); ++s) {
    for (const std::uint32_t contest : manifest.styles[s].contests) {
      used[contest] = true;
    }
    const std::size_t size =
        std::max(manifest.ballot_entry_size(s), manifest.challenge_entry_size(s));
    if (size > crypto::kMaxEntryBytes) {
      return fail(Errc::malformed, element_path("styles", s) + ": a ballot or challenge has " +
                                       std::to_string(size) + " bytes, may have " +
                                       std::to_string(crypto::kMaxEntryBytes));
    }
  }
  for (std::size_t c = 0; c < manifest.contests.size(); ++c) {
    const std::string path = element_path("contests", c);
    if (!used[c]) {
      return fail(Errc::malformed, path + ": occurs in no style");
    }
    if (manifest.contests[c].rule.range > (kTotalLimit - 1) / manifest.voters) {
      return fail(Errc::malformed, path + ".range: times voters, " +
                                       std::to_string(manifest.voters) +
                                       ", is 2^44 or more; such a total could not be found");
    }
  }
  // The opening with the hash in front and what makes it a message (docs/spec.md §2.6, §7.1, §8.4).
  const std::size_t opening_size =
      32 + (1 + 32 + 4 + 64) + 3 * 32 +
      manifest.trustees.size() * 32 * (std::size_t{2} + manifest.threshold) +
      manifest.registrars.size() * 64 + std::size_t{manifest.shards} * 32;
  if (opening_size > crypto::kMaxEntryBytes) {
    return root["trustees"].refuse("the opening has " + std::to_string(opening_size) +
                                   " bytes, may have " + std::to_string(crypto::kMaxEntryBytes) +
                                   "; take fewer trustees or a lower threshold");
  }
  return {};
}

Result<json> read_json(ByteView file) {
  if (file.size() > kMaxManifestBytes) {
    return fail(Errc::malformed, "manifest: has " + std::to_string(file.size()) +
                                     " bytes, may have " + std::to_string(kMaxManifestBytes));
  }
  const std::string_view text = as_text(file);
  if (text.starts_with("\xef\xbb\xbf")) {
    return fail(Errc::malformed, "manifest: starts with a byte order mark; save it without");
  }
  // nlohmann takes a zero byte for the end of the text.
  if (text.contains('\0')) {
    return fail(Errc::malformed, "manifest: holds a zero byte");
  }
  StrictTree tree(text);
  if (!json::sax_parse(text.begin(), text.end(), &tree)) {
    return fail(Errc::malformed, "manifest: " + tree.error());
  }
  return tree.root();
}

}  // namespace

Result<Manifest> Manifest::parse(ByteView file) {
  PSEPHOS_TRY(const json tree, read_json(file));
  const Field root(tree, "");
  PSEPHOS_CHECK_OK(root.object({"psephos", "title", "origin", "opens", "closes", "contests",
                                "styles", "trustees", "registrars", "box", "tally", "voters"},
                               {"witnesses"}));
  PSEPHOS_CHECK_OK(root["psephos"].choice({"manifest/v1"}));

  Manifest manifest;
  manifest.file.assign(file.begin(), file.end());
  manifest.digest = crypto::sha256({file});

  PSEPHOS_TRY(manifest.title, root["title"].text());
  PSEPHOS_TRY(manifest.origin, root["origin"].word(128, ".-/"));
  if (manifest.origin.starts_with('/') || manifest.origin.ends_with('/')) {
    return root["origin"].refuse("must not start or end with /");
  }
  PSEPHOS_TRY(manifest.opens, root["opens"].time());
  PSEPHOS_TRY(manifest.closes, root["closes"].time());
  if (manifest.opens >= manifest.closes) {
    return root["closes"].refuse("must be later than opens");
  }

  PSEPHOS_TRY(manifest.contests, read_contests(root["contests"]));
  PSEPHOS_TRY(manifest.styles, read_styles(root["styles"], manifest.contests));

  const Field trustees = root["trustees"];
  PSEPHOS_CHECK_OK(trustees.object({"names", "threshold"}));
  PSEPHOS_TRY(manifest.trustees, read_texts(trustees["names"], 64));
  PSEPHOS_TRY(manifest.threshold, trustees["threshold"].u32(1, manifest.trustees.size()));

  const Field registrars = root["registrars"];
  PSEPHOS_CHECK_OK(registrars.object({"names", "rsa_bits"}));
  PSEPHOS_TRY(manifest.registrars, read_texts(registrars["names"], 16));
  PSEPHOS_TRY(manifest.rsa_bits, registrars["rsa_bits"].u32(2048, 4096));
  if (manifest.rsa_bits % 1024 != 0) {
    return registrars["rsa_bits"].refuse("must be 2048, 3072 or 4096");
  }

  const Field box = root["box"];
  PSEPHOS_CHECK_OK(box.object({"shards", "revote", "challenges"}, {"ballots"}));
  PSEPHOS_TRY(manifest.shards, box["shards"].u32(1, 256));
  PSEPHOS_TRY(const std::size_t revote, box["revote"].choice({"first", "last"}));
  manifest.revote = revote == 0 ? Revote::first : Revote::last;
  manifest.max_ballots = manifest.revote == Revote::first ? 1 : kDefaultBallots;
  if (box.has("ballots")) {
    PSEPHOS_TRY(manifest.max_ballots,
                box["ballots"].u32(1, manifest.revote == Revote::first ? 1 : kMaxBallots));
  }
  PSEPHOS_TRY(manifest.max_challenges, box["challenges"].u32(0, 1000));

  const Field tally = root["tally"];
  PSEPHOS_CHECK_OK(tally.object({"minimum", "by"}));
  PSEPHOS_TRY(manifest.tally_minimum, tally["minimum"].u32(1));
  PSEPHOS_TRY(const std::size_t by, tally["by"].choice({"election", "style"}));
  manifest.tally_by = by == 0 ? TallyBy::election : TallyBy::style;

  if (root.has("witnesses")) {
    const Field witnesses = root["witnesses"];
    PSEPHOS_CHECK_OK(witnesses.object({"keys", "quorum"}));
    PSEPHOS_TRY(manifest.witnesses, read_witness_keys(witnesses["keys"]));
    PSEPHOS_TRY(manifest.witness_quorum, witnesses["quorum"].u32(0, manifest.witnesses.size()));
  }
  PSEPHOS_TRY(manifest.voters, root["voters"].integer(1, kMaxVoters));
  PSEPHOS_CHECK_OK(check_whole(root, manifest));
  return manifest;
}

namespace {

// Hash, type, style, credential key, sequence, signatures: in front of every box entry's
// ciphertexts.
std::size_t box_entry_head(const Manifest& manifest) {
  return 32 + 1 + 4 + 32 + 4 + manifest.registrars.size() * (32 + manifest.signature_bytes());
}

}  // namespace

std::size_t Manifest::ballot_entry_size(std::uint32_t style) const {
  const crypto::BallotForm& form = styles[style].form;
  return box_entry_head(*this) + form.ciphertexts_size() + form.proof_size();
}

std::size_t Manifest::challenge_entry_size(std::uint32_t style) const {
  const crypto::BallotForm& form = styles[style].form;
  return box_entry_head(*this) + form.ciphertexts_size() + (4 + 32) * form.num_options() + 64;
}

std::size_t Manifest::first_option(std::uint32_t style, std::uint32_t contest) const {
  PSEPHOS_CHECK(has_contest(style, contest));
  std::size_t first = 0;
  for (const std::uint32_t other : styles[style].contests) {
    if (other == contest) {
      break;
    }
    first += contests[other].options.size();
  }
  return first;
}

bool Manifest::has_contest(std::uint32_t style, std::uint32_t contest) const {
  return std::ranges::find(styles[style].contests, contest) != styles[style].contests.end();
}

}  // namespace psephos::protocol
