// Ballot cells: how a voter's choices are written in files and on the command line.
#include <charconv>
#include <string>
#include <string_view>

#include "psephos/protocol/wallet.h"

namespace psephos::protocol {

namespace {

// A cell is read as one contest's votes, written to `votes` (zero before). The error says what is
// wrong.
class CellParser {
 public:
  CellParser(const Contest& contest, std::span<std::uint32_t> votes)
      : contest_(&contest), votes_(votes) {}

  Result<void> parse(std::string_view cell) {
    if (cell.find_first_of(">=-x") != std::string_view::npos) {
      return wrong("is a ranking; this contest is not ranked, choices are separated by '|'");
    }
    while (!cell.empty()) {
      const std::size_t end = cell.find('|');
      PSEPHOS_CHECK_OK(choice(cell.substr(0, end)));
      if (end == std::string_view::npos) {
        break;
      }
      cell.remove_prefix(end + 1);
      if (cell.empty()) {
        return wrong("ends with '|'");
      }
    }
    return check_rule();
  }

 private:
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view what) const {
    return fail(Errc::malformed, "contest \"" + contest_->id + "\": the cell " + std::string(what));
  }

  // Digits only, without leading zeros, at least 1.
  [[nodiscard]] Result<std::uint32_t> number(std::string_view text, std::string_view what) const {
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.front() == '0') {
      return wrong("has something else than a number, 1 or more, as " + std::string(what));
    }
    return value;
  }

  Result<void> choice(std::string_view text) {
    const std::size_t colon = text.find(':');
    const bool has_points = colon != std::string_view::npos;
    if (contest_->type == ContestType::choose && has_points) {
      return wrong("gives points; in this contest options are only chosen");
    }
    if (contest_->type == ContestType::score && !has_points) {
      return wrong("gives no points; write option:points");
    }
    PSEPHOS_TRY(const std::uint32_t option, number(text.substr(0, colon), "an option"));
    if (option > votes_.size()) {
      return wrong("names option " + std::to_string(option) + " of " +
                   std::to_string(votes_.size()));
    }
    std::uint32_t& vote = votes_[option - 1];
    if (vote != 0) {
      return wrong("names option " + std::to_string(option) + " twice");
    }
    vote = 1;
    if (has_points) {
      PSEPHOS_TRY(vote, number(text.substr(colon + 1), "points"));
    }
    return {};
  }

  // The prover judges the rule as well, but cannot say which contest breaks it.
  [[nodiscard]] Result<void> check_rule() const {
    const crypto::ContestRule& rule = contest_->rule;
    const auto broken = [&](const std::string& what, const char* bound, std::uint32_t limit) {
      return fail(Errc::malformed, "contest \"" + contest_->id + "\": " + what + ", at " + bound +
                                       " " + std::to_string(limit));
    };
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < votes_.size(); ++i) {
      if (votes_[i] > rule.range) {
        return broken(
            "option " + std::to_string(i + 1) + " has " + std::to_string(votes_[i]) + " points",
            "most", rule.range);
      }
      sum += votes_[i];
    }
    const std::string what = std::to_string(sum) +
                             (contest_->type == ContestType::choose ? " chosen" : " points in all");
    if (sum < rule.min) {
      return broken(what, "least", rule.min);
    }
    if (sum > rule.max) {
      return broken(what, "most", rule.max);
    }
    return {};
  }

  const Contest* contest_;
  std::span<std::uint32_t> votes_;
};

}  // namespace

Result<crypto::SecretVotes> parse_votes(const Manifest& manifest, std::uint32_t style,
                                        std::span<const std::string> cells) {
  if (style >= manifest.num_styles()) {
    return fail(Errc::misuse, "style " + std::to_string(style) + ": the election has only " +
                                  std::to_string(manifest.num_styles()));
  }
  const BallotStyle& ballot = manifest.styles[style];
  if (cells.size() != ballot.contests.size()) {
    return fail(Errc::malformed, "style \"" + ballot.id + "\" has " +
                                     std::to_string(ballot.contests.size()) + " contests, not " +
                                     std::to_string(cells.size()));
  }
  crypto::SecretVotes votes(ballot.form.num_options());
  std::span<std::uint32_t> rest = votes.expose_secret();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Contest& contest = manifest.contests[ballot.contests[i]];
    CellParser parser(contest, rest.first(contest.options.size()));
    PSEPHOS_CHECK_OK(parser.parse(cells[i]));
    rest = rest.subspan(contest.options.size());
  }
  return votes;
}

}  // namespace psephos::protocol
