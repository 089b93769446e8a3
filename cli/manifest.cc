// `psephos manifest`: a sample to start from, and the check of one that was written.
#include <cstdio>

#include "cli/common.h"
#include "cli/json.h"
#include "cli/output.h"

namespace psephos::cli {

namespace {

using protocol::Manifest;

// Names stand in for comments, which JSON has not.
// clang-format off: it would format the JSON as C++.
constexpr std::string_view kSample = R"json({
  "psephos": "manifest/v1",
  "title": "Sample election: replace every text and check every number",
  "origin": "example.org/elections/2031-council",
  "opens": "2031-05-01T06:00:00Z",
  "closes": "2031-05-04T18:00:00Z",
  "contests": [
    {
      "id": "mayor",
      "title": "Choose at most one (an empty ballot is allowed: min 0)",
      "type": "choose",
      "options": ["Ada Option", "Ben Option", "Cem Option"],
      "min": 0,
      "max": 1
    },
    {
      "id": "council-north",
      "title": "Choose up to three of five (voters of the north only)",
      "type": "choose",
      "options": ["Dee Option", "Eva Option", "Fay Option", "Gus Option", "Hal Option"],
      "min": 0,
      "max": 3
    },
    {
      "id": "budget",
      "title": "Give 0 to 4 points to each project, at most 6 together",
      "type": "score",
      "options": ["A new library", "A new bridge", "A new park"],
      "range": 4,
      "min": 0,
      "max": 6
    }
  ],
  "styles": [
    { "id": "north", "contests": ["mayor", "council-north", "budget"] },
    { "id": "south", "contests": ["mayor", "budget"] }
  ],
  "trustees": {
    "names": ["First Trustee", "Second Trustee", "Third Trustee"],
    "threshold": 2
  },
  "registrars": {
    "names": ["Electoral office", "Independent second registrar"],
    "rsa_bits": 3072
  },
  "box": { "shards": 1, "revote": "last", "ballots": 10, "challenges": 3 },
  "tally": { "minimum": 5, "by": "election" },
  "witnesses": { "keys": [], "quorum": 0 },
  "voters": 10000
}
)json";
// clang-format on

std::string rule_text(const protocol::Contest& contest) {
  const auto& rule = contest.rule;
  std::string text = contest.type == protocol::ContestType::choose
                         ? "choose"
                         : "score 0 to " + std::to_string(rule.range);
  return text + ", " + std::to_string(rule.options) + " options, sum " + std::to_string(rule.min) +
         " to " + std::to_string(rule.max);
}

std::string contest_ids(const Manifest& manifest, const protocol::BallotStyle& style) {
  std::string ids;
  for (const std::uint32_t contest : style.contests) {
    ids += (ids.empty() ? "" : ", ") + manifest.contests[contest].id;
  }
  return ids;
}

void print_as_json(const Manifest& manifest) {
  Json out = {{"digest", hex(manifest.digest)},  {"title", manifest.title},
              {"origin", manifest.origin},       {"contests", Json::array()},
              {"styles", Json::array()},         {"trustees", manifest.trustees},
              {"threshold", manifest.threshold}, {"registrars", manifest.registrars},
              {"rsa_bits", manifest.rsa_bits},   {"shards", manifest.shards}};
  for (const protocol::Contest& contest : manifest.contests) {
    out["contests"].push_back({{"id", contest.id},
                               {"options", contest.rule.options},
                               {"range", contest.rule.range},
                               {"min", contest.rule.min},
                               {"max", contest.rule.max}});
  }
  for (std::uint32_t style = 0; style < manifest.num_styles(); ++style) {
    Json contests = Json::array();
    for (const std::uint32_t contest : manifest.styles[style].contests) {
      contests.push_back(manifest.contests[contest].id);
    }
    out["styles"].push_back({{"id", manifest.styles[style].id},
                             {"contests", contests},
                             {"ballot_entry_bytes", manifest.ballot_entry_size(style)},
                             {"challenge_entry_bytes", manifest.challenge_entry_size(style)}});
  }
  Json witnesses = Json::array();
  for (const crypto::NoteVerifier& witness : manifest.witnesses) {
    witnesses.push_back(witness.name());
  }
  out["witnesses"] = {{"keys", std::move(witnesses)}, {"quorum", manifest.witness_quorum}};
  print_json(out);
}

void print_as_text(const Manifest& manifest) {
  std::printf("%s\ndigest: %s\norigin: %s\n\ncontests\n", manifest.title.c_str(),
              hex(manifest.digest).c_str(), manifest.origin.c_str());
  for (const protocol::Contest& contest : manifest.contests) {
    std::printf("  %s: %s\n", contest.id.c_str(), rule_text(contest).c_str());
  }
  std::printf("ballot styles\n");
  for (std::uint32_t style = 0; style < manifest.num_styles(); ++style) {
    std::printf("  %s: %s; a ballot is %zu bytes in the log, a challenge %zu\n",
                manifest.styles[style].id.c_str(),
                contest_ids(manifest, manifest.styles[style]).c_str(),
                manifest.ballot_entry_size(style), manifest.challenge_entry_size(style));
  }
  std::printf("trustees, %u of %u needed\n", manifest.threshold, manifest.num_trustees());
  for (std::uint32_t i = 1; i <= manifest.num_trustees(); ++i) {
    std::printf("  %u: %s\n", i, manifest.trustees[i - 1].c_str());
  }
  std::printf("registrars, %u-bit keys\n", manifest.rsa_bits);
  for (std::uint32_t r = 0; r < manifest.num_registrars(); ++r) {
    std::printf("  %u: %s\n", r, manifest.registrars[r].c_str());
  }
  if (manifest.witness_quorum > 0) {
    std::printf(
        "witnesses, %u of %zu needed: this tool makes no cosignatures, and leads no election that\n"
        "needs them; set the quorum to 0, or lead it with software that does\n",
        manifest.witness_quorum, manifest.witnesses.size());
  }
}

}  // namespace

void add_manifest(CLI::App& app, Context& context) {
  CLI::App* group = app.add_subcommand("manifest", "Write down and check what an election is");
  group->require_subcommand(1);

  auto out = std::make_shared<std::string>();
  CLI::App* sample = group->add_subcommand("new", "Write a sample manifest to start from");
  sample->add_option("--out", *out, "file to write; standard output by default")->type_name("FILE");
  sample->footer(
      "Edit the sample, then `psephos manifest check` it. The file's exact bytes are the "
      "election's\n"
      "definition: give the same file to every trustee, registrar and to the ballot box.\n"
      "Example: psephos manifest new --out manifest.json");
  bind(*sample, context, [out]() -> Result<int> {
    if (out->empty()) {
      say(kSample);
      return kExitOk;
    }
    PSEPHOS_CHECK_OK(write_new_file(*out, as_bytes(kSample)));
    return kExitOk;
  });

  auto path = std::make_shared<std::string>();
  CLI::App* check = group->add_subcommand(
      "check", "Check a manifest and show its digest, contests, ballot styles and parties");
  check->add_option("MANIFEST", *path, "the manifest")->required();
  check->footer(
      "The digest is what everyone compares before the key ceremony.\n"
      "Example: psephos manifest check manifest.json");
  bind(*check, context, [path, &context]() -> Result<int> {
    PSEPHOS_TRY(const auto manifest, read_manifest(*path));
    if (context.json) {
      print_as_json(*manifest);
    } else {
      print_as_text(*manifest);
    }
    return kExitOk;
  });
}

}  // namespace psephos::cli
