#include "psephos/protocol/manifest.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/tile.h"

namespace psephos::protocol {
namespace {

constexpr std::string_view kText = R"({
  "psephos": "manifest/v1",
  "title": "Town election",
  "origin": "vote.example/2026",
  "opens": "2026-05-01T08:00:00Z",
  "closes": "2026-05-31T18:00:00Z",
  "contests": [
    {"id": "mayor", "title": "Mayor", "type": "choose", "options": ["Ann", "Bob", "Cy"],
     "min": 1, "max": 2},
    {"id": "budget", "title": "Budget €", "type": "score", "options": ["Park", "Pool"],
     "range": 3},
    {"id": "site", "title": "Site", "type": "score", "options": ["A", "B"], "range": 7,
     "min": 2, "max": 9}
  ],
  "styles": [
    {"id": "north", "contests": ["mayor", "budget"]},
    {"id": "south", "contests": ["site", "mayor"]}
  ],
  "trustees": {"names": ["Tia", "Tom", "Tea"], "threshold": 2},
  "registrars": {"names": ["Town", "Court"], "rsa_bits": 2048},
  "box": {"shards": 4, "revote": "last", "ballots": 5, "challenges": 3},
  "tally": {"minimum": 10, "by": "style"},
  "witnesses": {"keys": ["w1.example+8f03c52e+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
                         "w2.example+1f98cd7d+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM"],
                "quorum": 1},
  "voters": 1000
}
)";

// edited replaces the one place where `old` stands.
std::string edited(std::string_view old, std::string_view replacement) {
  std::string text(kText);
  const auto at = text.find(old);
  EXPECT_NE(at, std::string::npos) << old;
  EXPECT_EQ(text.find(old, at + 1), std::string::npos) << old;
  return text.replace(at, old.size(), replacement);
}

std::string message_of(std::string_view text) {
  const auto manifest = Manifest::parse(as_bytes(text));
  if (manifest.has_value()) {
    return "(accepted)";
  }
  EXPECT_EQ(manifest.error().code, Errc::malformed);
  return manifest.error().message;
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i) {
    result += text;
  }
  return result;
}

// numbered is "prefix0", "prefix1", …, count of them, as elements of a JSON array.
std::string numbered(std::string_view prefix, std::size_t count) {
  std::string result;
  for (std::size_t i = 0; i < count; ++i) {
    result += (i > 0 ? ", \"" : "\"") + std::string(prefix) + std::to_string(i) + "\"";
  }
  return result;
}

TEST(Manifest, ReadsEveryField) {
  const auto parsed = Manifest::parse(as_bytes(kText));
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  const Manifest& manifest = *parsed;
  EXPECT_EQ(as_text(manifest.file), kText);
  EXPECT_EQ(manifest.digest, crypto::sha256({as_bytes(kText)}));
  EXPECT_EQ(manifest.title, "Town election");
  EXPECT_EQ(manifest.origin, "vote.example/2026");
  EXPECT_EQ(manifest.opens, "2026-05-01T08:00:00Z");
  EXPECT_EQ(manifest.closes, "2026-05-31T18:00:00Z");

  ASSERT_EQ(manifest.contests.size(), 3U);
  EXPECT_EQ(manifest.contests[0].id, "mayor");
  EXPECT_EQ(manifest.contests[0].title, "Mayor");
  EXPECT_EQ(manifest.contests[0].type, ContestType::choose);
  EXPECT_EQ(manifest.contests[0].options, (std::vector<std::string>{"Ann", "Bob", "Cy"}));
  EXPECT_EQ(manifest.contests[0].rule.options, 3U);
  EXPECT_EQ(manifest.contests[0].rule.range, 1U);
  EXPECT_EQ(manifest.contests[0].rule.min, 1U);
  EXPECT_EQ(manifest.contests[0].rule.max, 2U);
  EXPECT_EQ(manifest.contests[1].title, "Budget €");
  EXPECT_EQ(manifest.contests[1].type, ContestType::score);
  EXPECT_EQ(manifest.contests[1].rule.range, 3U);
  EXPECT_EQ(manifest.contests[1].rule.min, 0U);
  EXPECT_EQ(manifest.contests[1].rule.max, 6U);
  EXPECT_EQ(manifest.contests[2].rule.min, 2U);
  EXPECT_EQ(manifest.contests[2].rule.max, 9U);

  ASSERT_EQ(manifest.num_styles(), 2U);
  EXPECT_EQ(manifest.styles[0].id, "north");
  EXPECT_EQ(manifest.styles[0].contests, (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(manifest.styles[1].contests, (std::vector<std::uint32_t>{2, 0}));
  EXPECT_EQ(manifest.styles[1].form.num_options(), 5U);

  EXPECT_EQ(manifest.num_trustees(), 3U);
  EXPECT_EQ(manifest.trustees[2], "Tea");
  EXPECT_EQ(manifest.threshold, 2U);
  EXPECT_EQ(manifest.num_registrars(), 2U);
  EXPECT_EQ(manifest.registrars[1], "Court");
  EXPECT_EQ(manifest.rsa_bits, 2048U);
  EXPECT_EQ(manifest.signature_bytes(), 256U);
  EXPECT_EQ(manifest.shards, 4U);
  EXPECT_EQ(manifest.revote, Revote::last);
  EXPECT_EQ(manifest.max_ballots, 5U);
  EXPECT_EQ(manifest.max_challenges, 3U);
  EXPECT_EQ(manifest.tally_minimum, 10U);
  EXPECT_EQ(manifest.tally_by, TallyBy::style);
  ASSERT_EQ(manifest.witnesses.size(), 2U);
  EXPECT_EQ(manifest.witnesses[1].name(), "w2.example");
  EXPECT_EQ(manifest.witness_quorum, 1U);
  EXPECT_EQ(manifest.voters, 1000U);
}

TEST(Manifest, TellsPlacesAndSizes) {
  const Manifest manifest = Manifest::parse(as_bytes(kText)).value();
  EXPECT_TRUE(manifest.has_contest(0, 1));
  EXPECT_FALSE(manifest.has_contest(1, 1));
  EXPECT_EQ(manifest.first_option(0, 0), 0U);
  EXPECT_EQ(manifest.first_option(0, 1), 3U);
  EXPECT_EQ(manifest.first_option(1, 2), 0U);
  EXPECT_EQ(manifest.first_option(1, 0), 2U);
  // Style 0 has 5 options; bits: mayor 3 and 1 of slack (1 to 2), budget 2·2. Head: hash 32, type
  // 1, style 4, pk 32, sequence 4, two signatures of 32 + 256.
  EXPECT_EQ(manifest.ballot_entry_size(0), 73U + 2 * 288 + 64 * 5 + 32 * (8 + 11));
  EXPECT_EQ(manifest.challenge_entry_size(0), 73U + 2 * 288 + (64 + 4 + 32) * 5 + 64);
  EXPECT_EQ(manifest.log_origin(Manifest::box_log(3)), "vote.example/2026/box/3");
}

TEST(Manifest, TakesDefaultsAndBounds) {
  const std::string no_witnesses = edited(
      R"("witnesses": {"keys": ["w1.example+8f03c52e+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
                         "w2.example+1f98cd7d+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM"],
                "quorum": 1},)",
      "");
  const auto manifest = Manifest::parse(as_bytes(no_witnesses));
  ASSERT_TRUE(manifest.has_value()) << manifest.error().message;
  EXPECT_TRUE(manifest->witnesses.empty());
  EXPECT_EQ(manifest->witness_quorum, 0U);

  const std::vector<std::pair<std::string_view, std::string>> accepted = {
      {"\"Town election\"", "\"" + std::string(256, 'x') + "\""},
      {"\"Town election\"", R"("\u00e9 \"quoted\" \\ /")"},
      {"vote.example/2026", std::string(128, 'a')},
      {"2026-05-31T18:00:00Z", "2028-02-29T23:59:59Z"},
      {"2026-05-31T18:00:00Z", "2026-05-01T08:00:01Z"},
      {"\"id\": \"north\"", "\"id\": \"" + std::string(64, '-') + "\""},
      {"\"threshold\": 2", "\"threshold\": 3"},
      {"2048", "3072"},
      {"2048", "4096"},
      {"\"shards\": 4", "\"shards\": 256"},
      {"\"last\", \"ballots\": 5", "\"first\""},
      {"\"last\", \"ballots\": 5", "\"first\", \"ballots\": 1"},
      {"\"ballots\": 5", "\"ballots\": 1000"},
      {"\"challenges\": 3", "\"challenges\": 1000"},
      {"\"minimum\": 10", "\"minimum\": 4294967295"},
      {"\"by\": \"style\"", "\"by\": \"election\""},
      {"\"quorum\": 1", "\"quorum\": 2"},
      {"\"quorum\": 1", "\"quorum\": 0"},
      {"\"voters\": 1000", "\"voters\": 1099511627776"},
      {"\"min\": 1, \"max\": 2", "\"min\": 0, \"max\": 0"},
      {"\"range\": 3", "\"range\": 2147483647"},  // two options: the sum is 2^32 − 2
  };
  for (const auto& [old, replacement] : accepted) {
    EXPECT_EQ(message_of(edited(old, replacement)), "(accepted)") << replacement;
  }
}

struct Bad {
  std::string text;
  std::string message;
};

void expect_refused(const std::vector<Bad>& cases) {
  for (const Bad& bad : cases) {
    EXPECT_EQ(message_of(bad.text), bad.message) << bad.text;
  }
}

TEST(Manifest, BallotsOfACredentialHaveADefault) {
  const auto last = Manifest::parse(as_bytes(edited("\"ballots\": 5, ", "")));
  ASSERT_TRUE(last.has_value()) << last.error().message;
  EXPECT_EQ(last->max_ballots, 10U);
  const auto first = Manifest::parse(
      as_bytes(edited("\"revote\": \"last\", \"ballots\": 5", "\"revote\": \"first\"")));
  ASSERT_TRUE(first.has_value()) << first.error().message;
  EXPECT_EQ(first->max_ballots, 1U);
}

TEST(Manifest, RefusesWhatIsNotStrictJson) {
  expect_refused({
      {"", "manifest: line 1: not JSON"},
      {"[]", "manifest: must be an object"},
      {"7", "manifest: must be an object"},
      {"{", "manifest: line 1: not JSON"},
      {std::string(kText.substr(0, 100)), "manifest: line 5: not JSON"},
      {std::string(kText) + "{}", "manifest: line 28: not JSON"},
      {std::string(kText) + "x", "manifest: line 28: not JSON"},
      {std::string(kText) + '\0', "manifest: holds a zero byte"},
      {std::string(kText) + '\0' + "x", "manifest: holds a zero byte"},
      {"\xef\xbb\xbf" + std::string(kText),
       "manifest: starts with a byte order mark; save it without"},
      {edited("1000\n", "1000,\n"), "manifest: line 27: not JSON"},
      {edited("1000", "1000 // all"), "manifest: line 26: not JSON"},
      {edited("1000", "01000"), "manifest: line 26: not JSON"},
      {edited("1000", "+1000"), "manifest: line 26: not JSON"},
      {edited("1000", "NaN"), "manifest: line 26: not JSON"},
      {edited("Town election", "Town \xff"), "manifest: line 3: not JSON"},
      {edited("Town election", "\xc0\x80"), "manifest: line 3: not JSON"},
      {edited("Town election", "\xed\xa0\x80"), "manifest: line 3: not JSON"},
      {edited("Town election", "\\ud800"), "manifest: line 3: not JSON"},
      {edited("Town election", "a\nb"), "manifest: line 3: not JSON"},
      {edited("\"voters\"", "\"title\": \"x\", \"voters\""),
       "manifest: the key \"title\" occurs twice"},
      {edited("\"threshold\": 2", "\"threshold\": 2, \"threshold\": 2"),
       "manifest: trustees: the key \"threshold\" occurs twice"},
      {edited("\"id\": \"south\"", R"("id": "south", "\u0069d": "x")"),
       "manifest: styles[1]: the key \"id\" occurs twice"},
      {edited("1000", repeat("[", 16)), "manifest: nested deeper than 16"},
      {edited("1000", repeat("[", 15) + repeat("]", 15)),
       "voters: must be an integer from 1 to "
       "1099511627776"},
      {std::string(kText) + std::string(kMaxManifestBytes, ' '),
       "manifest: has " + std::to_string(kMaxManifestBytes + kText.size()) +
           " bytes, may have 1048576"},
      {edited("\"voters\"", "\"extra\": null, \"voters\""), "manifest: unknown key \"extra\""},
      {edited("\"voters\"", "\"ex\x7ftra\": null, \"voters\""),
       "manifest: unknown key \"ex\\x7ftra\""},
      {edited("\"voters\"", "\"" + std::string(65, 'k') + "\": null, \"voters\""),
       "manifest: unknown key \"" + std::string(64, 'k') + "…\""},
      {edited("\"voters\": 1000", "\"x\": 1000"), "voters: missing"},
      {edited("manifest/v1", "manifest/v2"), "psephos: must be \"manifest/v1\""},
      {edited("\"manifest/v1\"", "1"), "psephos: must be \"manifest/v1\""},
  });
}

TEST(Manifest, RefusesBadTexts) {
  expect_refused({
      {edited("\"Town election\"", "7"), "title: must be text"},
      {edited("Town election", ""), "title: has 0 bytes, must have 1 to 256"},
      {edited("Town election", std::string(257, 'x')), "title: has 257 bytes, must have 1 to 256"},
      // 129 characters of two bytes
      {edited("Town election", repeat("é", 129)), "title: has 258 bytes, must have 1 to 256"},
      {edited("Town election", "a\\u001fb"), "title: holds a control character"},
      {edited("Town election", "a\\u0000b"), "title: holds a control character"},
      {edited("Town election", "a\\nb"), "title: holds a control character"},
      {edited("Town election", "a\x7f"), "title: holds a control character"},
      {edited("Town election", "a\\u009bb"), "title: holds a control character"},
      {edited("Town election", "a\xc2\x80"), "title: holds a control character"},
      {edited("vote.example/2026", ""), "origin: has 0 bytes, must have 1 to 128"},
      {edited("vote.example/2026", std::string(129, 'a')),
       "origin: has 129 bytes, must have 1 to 128"},
      {edited("vote.example/2026", "Vote"), "origin: \"Vote\" may hold only a-z 0-9 . - /"},
      {edited("vote.example/2026", "a_b"), "origin: \"a_b\" may hold only a-z 0-9 . - /"},
      {edited("vote.example/2026", "/a"), "origin: must not start or end with /"},
      {edited("vote.example/2026", "a/"), "origin: must not start or end with /"},
      {edited("2026-05-01T08:00:00Z", "2026-05-01 08:00:00"),
       "opens: \"2026-05-01 08:00:00\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-05-01t08:00:00Z"),
       "opens: \"2026-05-01t08:00:00Z\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-02-29T08:00:00Z"),
       "opens: \"2026-02-29T08:00:00Z\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-04-31T08:00:00Z"),
       "opens: \"2026-04-31T08:00:00Z\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-13-01T08:00:00Z"),
       "opens: \"2026-13-01T08:00:00Z\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-05-00T08:00:00Z"),
       "opens: \"2026-05-00T08:00:00Z\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-05-01T24:00:00Z"),
       "opens: \"2026-05-01T24:00:00Z\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-05-01T08:60:00Z"),
       "opens: \"2026-05-01T08:60:00Z\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-05-01T08:00:60Z"),
       "opens: \"2026-05-01T08:00:60Z\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-05-01T08:00:0xZ"),
       "opens: \"2026-05-01T08:00:0xZ\" is not a time as 2026-05-31T18:00:00Z"},
      {edited("2026-05-01T08:00:00Z", "2026-05-31T18:00:00Z"), "closes: must be later than opens"},
  });
}

TEST(Manifest, RefusesBadContests) {
  expect_refused({
      {edited("{\"id\": \"mayor\", ", "{"), "contests[0].id: missing"},
      {edited("\"id\": \"mayor\"", "\"id\": \"\""),
       "contests[0].id: has 0 bytes, must have 1 to 64"},
      {edited("\"id\": \"mayor\"", "\"id\": \"Mayor\""),
       "contests[0].id: \"Mayor\" may hold only a-z 0-9 - _"},
      {edited("\"id\": \"mayor\"", "\"id\": \"" + std::string(65, 'm') + "\""),
       "contests[0].id: has 65 bytes, must have 1 to 64"},
      {edited("\"id\": \"budget\"", "\"id\": \"mayor\""), "contests[1].id: \"mayor\" occurs twice"},
      {edited("\"id\": \"mayor\"", "\"id\": \"mayor\", \"note\": 1"),
       "contests[0]: unknown key \"note\""},
      {edited("\"choose\"", "\"rank\""), "contests[0].type: must be \"choose\" or \"score\""},
      {edited("[\"Ann\", \"Bob\", \"Cy\"]", "[]"),
       "contests[0].options: has 0 elements, must have 1 to 4096"},
      {edited("[\"Ann\", \"Bob\", \"Cy\"]", "[" + numbered("o", 4097) + "]"),
       "contests[0].options: has 4097 elements, must have 1 to 4096"},
      {edited("[\"Ann\", \"Bob\", \"Cy\"]", "{}"), "contests[0].options: must be an array"},
      {edited("\"Cy\"", "\"Ann\""), "contests[0].options[2]: \"Ann\" occurs twice"},
      {edited("\"Cy\"", "\"\""), "contests[0].options[2]: has 0 bytes, must have 1 to 256"},
      {edited("\"Cy\"", "null"), "contests[0].options[2]: must be text"},
      {edited("\"min\": 1, \"max\": 2", "\"min\": 1, \"max\": 2, \"range\": 1"),
       "contests[0].range: only a contest of type \"score\" has one"},
      {edited("\"min\": 1, \"max\": 2", "\"max\": 2"), "contests[0].min: missing"},
      {edited("\"min\": 1, \"max\": 2", "\"min\": 1"), "contests[0].max: missing"},
      {edited("\"min\": 1, \"max\": 2", "\"min\": 1, \"max\": 4"),
       "contests[0].max: 4 is more than the largest sum, 3"},
      {edited("\"min\": 1, \"max\": 2", "\"min\": 3, \"max\": 2"),
       "contests[0].min: 3 is more than max, 2"},
      {edited("\"min\": 1, \"max\": 2", "\"min\": -1, \"max\": 2"),
       "contests[0].min: must be an integer from 0 to 4294967295"},
      {edited("\"min\": 1, \"max\": 2", "\"min\": 1.0, \"max\": 2"),
       "contests[0].min: must be an integer from 0 to 4294967295"},
      {edited("\"min\": 1, \"max\": 2", "\"min\": 1, \"max\": 2e0"),
       "contests[0].max: must be an integer from 0 to 4294967295"},
      {edited("\"min\": 1, \"max\": 2", "\"min\": 1, \"max\": 4294967296"),
       "contests[0].max: 4294967296 is not in 0 to 4294967295"},
      {edited("\"min\": 1, \"max\": 2", "\"min\": 1, \"max\": 18446744073709551616"),
       "contests[0].max: must be an integer from 0 to 4294967295"},
      {edited(",\n     \"range\": 3", ""), "contests[1].range: missing"},
      {edited("\"range\": 3", "\"range\": 0"), "contests[1].range: 0 is not in 1 to 4294967295"},
      {edited("\"range\": 3", "\"range\": true"),
       "contests[1].range: must be an integer from 1 to 4294967295"},
      {edited("\"range\": 3", "\"range\": 3, \"min\": 0"), "contests[1].max: missing"},
      {edited("\"range\": 3", "\"range\": 3, \"max\": 0"), "contests[1].min: missing"},
      {edited("\"range\": 3", "\"range\": 2147483648"),
       "contests[1].range: the largest sum, 4294967296, is 2^32 or more"},
      {edited("\"max\": 9", "\"max\": 15"), "contests[2].max: 15 is more than the largest sum, 14"},
      // 2^40 voters leave a range of at most 15.
      {edited("\"voters\": 1000", "\"voters\": 1099511627776")
           .replace(edited("\"voters\": 1000", "\"voters\": 1099511627776").find("\"range\": 3"),
                    10, "\"range\": 16"),
       "contests[1].range: times voters, 1099511627776, is 2^44 or more; such a total could not be "
       "found"},
      {edited("\"south\", \"contests\": [\"site\", \"mayor\"]",
              "\"south\", \"contests\": [\"mayor\"]"),
       "contests[2]: occurs in no style"},
  });
}

TEST(Manifest, RefusesBadStyles) {
  expect_refused({
      {edited("\"id\": \"north\", ", ""), "styles[0].id: missing"},
      {edited("\"id\": \"south\"", "\"id\": \"north\""), "styles[1].id: \"north\" occurs twice"},
      {edited("\"id\": \"south\"", "\"id\": \"so uth\""),
       "styles[1].id: \"so uth\" may hold only a-z 0-9 - _"},
      {edited("[\"site\", \"mayor\"]", "[]"),
       "styles[1].contests: has 0 elements, must have 1 to 3"},
      {edited("[\"site\", \"mayor\"]", "[\"site\", \"site\"]"),
       "styles[1].contests[1]: \"site\" occurs twice"},
      {edited("[\"site\", \"mayor\"]", "[\"site\", \"lord\"]"),
       "styles[1].contests[1]: there is no contest \"lord\""},
      {edited("[\"site\", \"mayor\"]", "[\"site\", 0]"), "styles[1].contests[1]: must be text"},
      {edited("[\"site\", \"mayor\"]", "\"site\""), "styles[1].contests: must be an array"},
      // 680 options of one bit: 64·680 + 32·(680 + 2 + 2·2 + 11) bytes of ciphertexts and proof
      {edited("\"Ann\", \"Bob\", \"Cy\"", numbered("o", 680)),
       "styles[0]: contest 1 makes the ballot longer than 65535 bytes"},
  });
}

TEST(Manifest, RefusesEntriesThatDoNotFit) {
  // n options of "mayor" and two others: a challenge has 649 + 100·(n + 2) + 64 bytes.
  EXPECT_EQ(message_of(edited("\"Ann\", \"Bob\", \"Cy\"", numbered("o", 646))), "(accepted)");
  EXPECT_EQ(message_of(edited("\"Ann\", \"Bob\", \"Cy\"", numbered("o", 647))),
            "styles[0]: a ballot or challenge has 65613 bytes, may have 65535");

  // n trustees with threshold t: 32 + 101 + 96 + n·(64 + 32·t) + 2·64 + 4·32 bytes.
  const auto with_trustees = [](std::size_t n, std::size_t t) {
    return edited(
        R"({"names": ["Tia", "Tom", "Tea"], "threshold": 2})",
        "{\"names\": [" + numbered("t", n) + "], \"threshold\": " + std::to_string(t) + "}");
  };
  EXPECT_EQ(message_of(with_trustees(64, 29)), "(accepted)");  // 485 + 64·992 = 63973
  EXPECT_EQ(message_of(with_trustees(64, 30)),
            "trustees: the opening has 66021 bytes, may have 65535; take fewer trustees or a lower "
            "threshold");
}

TEST(Manifest, RefusesBadParties) {
  const std::string_view trustees = R"({"names": ["Tia", "Tom", "Tea"], "threshold": 2})";
  const std::string_view keys =
      R"(["w1.example+8f03c52e+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
                         "w2.example+1f98cd7d+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM"])";
  expect_refused({
      {edited(trustees, "3"), "trustees: must be an object"},
      {edited(trustees, "{\"names\": [], \"threshold\": 1}"),
       "trustees.names: has 0 elements, must have 1 to 64"},
      {edited(trustees, "{\"names\": [" + numbered("t", 65) + "], \"threshold\": 1}"),
       "trustees.names: has 65 elements, must have 1 to 64"},
      {edited("\"Tea\"", "\"Tia\""), "trustees.names[2]: \"Tia\" occurs twice"},
      {edited("\"threshold\": 2", "\"threshold\": 0"), "trustees.threshold: 0 is not in 1 to 3"},
      {edited("\"threshold\": 2", "\"threshold\": 4"), "trustees.threshold: 4 is not in 1 to 3"},
      {edited("\"threshold\": 2", "\"threshold\": \"2\""),
       "trustees.threshold: must be an integer from 1 to 3"},
      {edited("\"Town\", \"Court\"", ""), "registrars.names: has 0 elements, must have 1 to 16"},
      {edited("\"Town\", \"Court\"", numbered("r", 17)),
       "registrars.names: has 17 elements, must have 1 to 16"},
      {edited("\"Court\"", "\"Town\""), "registrars.names[1]: \"Town\" occurs twice"},
      {edited("2048", "1024"), "registrars.rsa_bits: 1024 is not in 2048 to 4096"},
      {edited("2048", "2560"), "registrars.rsa_bits: must be 2048, 3072 or 4096"},
      {edited("\"shards\": 4", "\"shards\": 0"), "box.shards: 0 is not in 1 to 256"},
      {edited("\"shards\": 4", "\"shards\": 257"), "box.shards: 257 is not in 1 to 256"},
      {edited("\"last\"", "\"never\""), "box.revote: must be \"first\" or \"last\""},
      {edited("\"challenges\": 3", "\"challenges\": 1001"),
       "box.challenges: 1001 is not in 0 to 1000"},
      {edited(", \"challenges\": 3", ""), "box.challenges: missing"},
      {edited("\"minimum\": 10", "\"minimum\": 0"), "tally.minimum: 0 is not in 1 to 4294967295"},
      {edited("\"by\": \"style\"", "\"by\": \"district\""),
       "tally.by: must be \"election\" or \"style\""},
      {edited("\"ballots\": 5", "\"ballots\": 0"), "box.ballots: 0 is not in 1 to 1000"},
      {edited("\"ballots\": 5", "\"ballots\": 1001"), "box.ballots: 1001 is not in 1 to 1000"},
      {edited("\"last\"", "\"first\""), "box.ballots: 5 is not in 1 to 1"},
      {edited("\"voters\": 1000", "\"voters\": 0"), "voters: 0 is not in 1 to 1099511627776"},
      {edited("\"voters\": 1000", "\"voters\": 1099511627777"),
       "voters: 1099511627777 is not in 1 to 1099511627776"},
      {edited("\"voters\": 1000", "\"voters\": -0"),
       "voters: must be an integer from 1 to 1099511627776"},
      {edited("\"quorum\": 1", "\"quorum\": 3"), "witnesses.quorum: 3 is not in 0 to 2"},
      {edited(",\n                \"quorum\": 1", ""), "witnesses.quorum: missing"},
      {edited(keys, "[]"), "witnesses.quorum: 1 is not in 0 to 0"},
      {edited(keys, "[" + numbered("w", 65) + "]"),
       "witnesses.keys: has 65 elements, must have 0 to 64"},
      {edited(keys, "[\"w1\"]"), "witnesses.keys[0]: verifier key: expected name+id+key"},
      {edited("w1.example+8f03c52e", "w1.example+8f03c52f"),
       "witnesses.keys[0]: verifier key: the id does not belong to this name and key"},
      {edited(keys, "[\"w1.example+e7966033+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea\"]"),
       "witnesses.keys[0]: a witness's key must be of algorithm 4 (cosignature/v1)"},
      {edited("w2.example+1f98cd7d+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM",
              "w1.example+78ca647d+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM"),
       "witnesses.keys[1]: the name \"w1.example\" occurs twice"},
      {edited("w2.example+1f98cd7d+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM",
              "w2.example+37dc77a2+BNdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"),
       "witnesses.keys[1]: this key occurs twice"},
  });
}

TEST(Manifest, NeverTakesATruncatedFile) {
  const std::string_view whole = kText.substr(0, kText.rfind('}') + 1);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(message_of(whole.substr(0, size)), "(accepted)") << size;
  }
}

}  // namespace
}  // namespace psephos::protocol
