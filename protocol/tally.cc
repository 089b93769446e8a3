#include "psephos/protocol/tally.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/labels.h"

namespace psephos::protocol {

namespace {

using crypto::Ciphertext;
using crypto::DiscreteLogProof;
using crypto::Identity;
using crypto::Point;

std::vector<Unit> one_unit_per_style(const Manifest& manifest, std::uint32_t contest,
                                     std::span<const std::uint64_t> counted_per_style) {
  std::vector<Unit> units;
  for (std::uint32_t style = 0; style < manifest.num_styles(); ++style) {
    if (manifest.has_contest(style, contest)) {
      units.push_back({.styles = {style}, .counted = counted_per_style[style]});
    }
  }
  return units;
}

// The position of the first unit with the fewest ballots, `except` left out.
std::size_t smallest(const std::vector<Unit>& units, std::size_t except) {
  std::size_t best = except == 0 ? 1 : 0;
  for (std::size_t u = best + 1; u < units.size(); ++u) {
    if (u != except && units[u].counted < units[best].counted) {
      best = u;
    }
  }
  return best;
}

// Joins two units in the place of the earlier.
void join(std::vector<Unit>& units, std::size_t a, std::size_t b) {
  Unit& earlier = units[std::min(a, b)];
  const Unit& later = units[std::max(a, b)];
  earlier.counted += later.counted;
  earlier.styles.insert(earlier.styles.end(), later.styles.begin(), later.styles.end());
  std::ranges::sort(earlier.styles);
  units.erase(units.begin() + static_cast<std::ptrdiff_t>(std::max(a, b)));
}

Result<std::uint32_t> decode_tally_number(Reader& in, std::span<const Tally> tallies) {
  PSEPHOS_TRY(const std::uint32_t tally, in.u32("tally"));
  if (tally >= tallies.size()) {
    return fail(Errc::malformed, "there is no tally " + std::to_string(tally));
  }
  return tally;
}

// JsonText writes JSON in the layout of docs/spec.md §8.8.
class JsonText {
 public:
  JsonText& open(char bracket) {
    text_ += bracket;
    ++depth_;
    is_first_ = true;
    return *this;
  }
  JsonText& close(char bracket) {
    --depth_;
    if (!is_first_) {
      new_line();
    }
    text_ += bracket;
    is_first_ = false;
    return *this;
  }
  // element starts an array's next element; member an object's next member.
  JsonText& element() {
    if (!is_first_) {
      text_ += ',';
    }
    is_first_ = false;
    new_line();
    return *this;
  }
  JsonText& member(std::string_view name) {
    element().value(name);
    text_ += ": ";
    return *this;
  }
  JsonText& value(std::string_view text) {
    text_ += '"';
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        text_ += '\\';
      }
      text_ += c;
    }
    text_ += '"';
    return *this;
  }
  JsonText& value(std::uint64_t number) {
    text_ += std::to_string(number);
    return *this;
  }
  [[nodiscard]] std::string take() && { return std::move(text_) + "\n"; }

 private:
  void new_line() {
    text_ += '\n';
    text_.append(2 * depth_, ' ');
  }

  std::string text_;
  std::size_t depth_ = 0;
  bool is_first_ = true;
};

void write_unit(JsonText& json, const Manifest& manifest, const Contest& contest,
                const OpenedUnit& unit) {
  json.element().open('{').member("styles").open('[');
  for (const std::uint32_t style : unit.styles) {
    json.element().value(manifest.styles[style].id);
  }
  json.close(']').member("ballots").value(unit.counted).member("totals").open('[');
  for (std::size_t o = 0; o < contest.options.size(); ++o) {
    json.element().open('{');
    json.member("option").value(o + 1);
    json.member("name").value(contest.options[o]);
    json.member("votes").value(unit.totals[o]);
    json.close('}');
  }
  json.close(']').close('}');
}

std::string csv_field(std::string_view text) {
  if (!text.contains('"') && !text.contains(',')) {
    return std::string(text);
  }
  std::string field = "\"";
  for (const char c : text) {
    field += c;
    if (c == '"') {
      field += c;
    }
  }
  return field + "\"";
}

}  // namespace

Aggregate::Aggregate(const Manifest& manifest) : counted_(manifest.styles.size()) {
  for (const BallotStyle& style : manifest.styles) {
    sums_.emplace_back(style.form.num_options());
  }
}

void Aggregate::add(std::uint32_t style, std::span<const Ciphertext> sums, std::uint64_t ballots) {
  std::vector<Ciphertext>& totals = sums_[style];
  PSEPHOS_CHECK(sums.size() == totals.size());
  for (std::size_t j = 0; j < totals.size(); ++j) {
    totals[j] = totals[j] + sums[j];
  }
  counted_[style] += ballots;
}

void Aggregate::subtract(std::uint32_t style, std::span<const Ciphertext> sums,
                         std::uint64_t ballots) {
  std::vector<Ciphertext>& totals = sums_[style];
  PSEPHOS_CHECK(sums.size() == totals.size() && counted_[style] >= ballots);
  for (std::size_t j = 0; j < totals.size(); ++j) {
    totals[j] = totals[j] - sums[j];
  }
  counted_[style] -= ballots;
}

void Aggregate::merge(const Aggregate& other) {
  PSEPHOS_CHECK(other.sums_.size() == sums_.size());
  for (std::size_t style = 0; style < sums_.size(); ++style) {
    add(static_cast<std::uint32_t>(style), other.sums_[style], other.counted_[style]);
  }
}

std::vector<Unit> units(const Manifest& manifest, std::uint32_t contest,
                        std::span<const std::uint64_t> counted_per_style) {
  std::vector<Unit> units = one_unit_per_style(manifest, contest, counted_per_style);
  if (manifest.tally_by == TallyBy::election) {
    while (units.size() > 1) {
      join(units, 0, 1);
    }
  }
  while (units.size() > 1) {
    const std::size_t fewest = smallest(units, units.size());
    if (units[fewest].counted >= manifest.tally_minimum) {
      return units;
    }
    join(units, fewest, smallest(units, fewest));
  }
  if (units.front().counted < manifest.tally_minimum) {
    units.clear();
  }
  return units;
}

Result<Tally> Tally::decode(ByteView payload, const Manifest& manifest) {
  Reader in(payload);
  Tally tally;
  PSEPHOS_TRY(tally.contest, in.u32("contest"));
  if (tally.contest >= manifest.contests.size()) {
    return fail(Errc::malformed, "there is no contest " + std::to_string(tally.contest));
  }
  PSEPHOS_TRY(tally.unit, in.u32("unit"));
  PSEPHOS_TRY(tally.counted, in.u64("counted ballots"));
  if (tally.counted > manifest.voters) {
    return fail(Errc::malformed, "counted ballots: " + std::to_string(tally.counted) +
                                     " are more than the manifest's voters");
  }
  for (std::size_t o = 0; o < manifest.contests[tally.contest].options.size(); ++o) {
    PSEPHOS_TRY(const Ciphertext sum, Ciphertext::decode(in, Identity::accepted,
                                                         "sum of option " + std::to_string(o + 1)));
    tally.sums.push_back(sum);
  }
  PSEPHOS_CHECK_OK(in.finish("tally"));
  return tally;
}

Bytes Tally::encode() const {
  Writer out;
  out.u32(contest).u32(unit).u64(counted).raw(crypto::encode_all(sums));
  return std::move(out).take();
}

std::vector<Tally> expected_tallies(const Manifest& manifest, const Aggregate& aggregate) {
  std::vector<Tally> tallies;
  for (std::uint32_t contest = 0; contest < manifest.contests.size(); ++contest) {
    std::uint32_t number = 0;
    for (const Unit& unit : units(manifest, contest, aggregate.counted())) {
      Tally tally{.contest = contest, .unit = number++, .counted = unit.counted, .sums = {}};
      tally.sums.resize(manifest.contests[contest].options.size());
      for (const std::uint32_t style : unit.styles) {
        const std::size_t first = manifest.first_option(style, contest);
        for (std::size_t o = 0; o < tally.sums.size(); ++o) {
          tally.sums[o] = tally.sums[o] + aggregate.sums(style)[first + o];
        }
      }
      tallies.push_back(std::move(tally));
    }
  }
  return tallies;
}

Result<Decryption> Decryption::decode(ByteView payload, std::span<const Tally> tallies) {
  Reader in(payload);
  Decryption decryption;
  PSEPHOS_TRY(decryption.tally, decode_tally_number(in, tallies));
  const std::size_t num_options = tallies[decryption.tally].sums.size();
  for (std::size_t o = 0; o < num_options; ++o) {
    PSEPHOS_TRY(const Point share,
                Point::decode(in, Identity::accepted, "share of option " + std::to_string(o + 1)));
    decryption.shares.push_back(share);
  }
  PSEPHOS_TRY(decryption.proof, DiscreteLogProof::decode(in, num_options + 1));
  PSEPHOS_CHECK_OK(in.finish("decryption"));
  return decryption;
}

Bytes Decryption::encode() const {
  Writer out;
  out.u32(tally);
  for (const Point& share : shares) {
    share.encode(out);
  }
  proof.encode(out);
  return std::move(out).take();
}

crypto::DiscreteLogStatement decryption_statement(const Tally& tally, const Point& public_share,
                                                  std::span<const Point> shares) {
  crypto::DiscreteLogStatement statement{.bases = {Point::base()}, .points = {public_share}};
  for (const Ciphertext& sum : tally.sums) {
    statement.bases.push_back(sum.alpha);
  }
  statement.points.insert(statement.points.end(), shares.begin(), shares.end());
  return statement;
}

crypto::Transcript decryption_transcript(const Digest32& election_id, std::uint32_t trustee,
                                         std::uint32_t tally) {
  crypto::Transcript transcript(labels::kDecryption);
  transcript.absorb(labels::kElection, election_id);
  transcript.absorb_u32(labels::kTrustee, trustee);
  transcript.absorb_u32(labels::kTally, tally);
  return transcript;
}

Result<TallyResult> TallyResult::decode(ByteView payload, std::span<const Tally> tallies) {
  Reader in(payload);
  TallyResult result;
  PSEPHOS_TRY(result.tally, decode_tally_number(in, tallies));
  for (std::size_t o = 0; o < tallies[result.tally].sums.size(); ++o) {
    PSEPHOS_TRY(const std::uint64_t total, in.u64("total of option " + std::to_string(o + 1)));
    result.totals.push_back(total);
  }
  PSEPHOS_CHECK_OK(in.finish("result"));
  return result;
}

Bytes TallyResult::encode() const {
  Writer out;
  out.u32(tally);
  for (const std::uint64_t total : totals) {
    out.u64(total);
  }
  return std::move(out).take();
}

std::string result_json(const Manifest& manifest, const ElectionResult& result) {
  JsonText json;
  json.open('{');
  json.member("psephos").value("result/v1");
  json.member("election").value(hex(result.election_id));
  json.member("title").value(manifest.title);
  json.member("contests").open('[');
  for (std::size_t c = 0; c < manifest.contests.size(); ++c) {
    const Contest& contest = manifest.contests[c];
    json.element().open('{');
    json.member("id").value(contest.id);
    json.member("title").value(contest.title);
    json.member("units").open('[');
    for (const OpenedUnit& unit : result.contests[c]) {
      write_unit(json, manifest, contest, unit);
    }
    json.close(']').close('}');
  }
  json.close(']').close('}');
  return std::move(json).take();
}

std::string result_csv(const Manifest& manifest, const ElectionResult& result) {
  std::string csv = "contest,unit,styles,ballots,option,name,votes\n";
  for (std::size_t c = 0; c < manifest.contests.size(); ++c) {
    const Contest& contest = manifest.contests[c];
    for (std::size_t u = 0; u < result.contests[c].size(); ++u) {
      const OpenedUnit& unit = result.contests[c][u];
      std::string styles;
      for (const std::uint32_t style : unit.styles) {
        styles += (styles.empty() ? "" : "+") + manifest.styles[style].id;
      }
      for (std::size_t o = 0; o < contest.options.size(); ++o) {
        csv += contest.id + "," + std::to_string(u) + "," + styles + "," +
               std::to_string(unit.counted) + "," + std::to_string(o + 1) + "," +
               csv_field(contest.options[o]) + "," + std::to_string(unit.totals[o]) + "\n";
      }
    }
  }
  return csv;
}

}  // namespace psephos::protocol
