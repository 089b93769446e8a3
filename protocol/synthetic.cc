#include "psephos/protocol/synthetic.h"

#include <algorithm>
#include <numeric>

namespace psephos::protocol {

using crypto::Bases;

crypto::SecretVotes random_votes(const crypto::BallotForm& form, Random& random) {
  crypto::SecretVotes votes(form.num_options());
  std::span<std::uint32_t> rest = votes.expose_secret();
  for (const crypto::ContestRule& rule : form.contests()) {
    const std::span<std::uint32_t> options = rest.first(rule.options);
    rest = rest.subspan(rule.options);
    std::uint64_t sum = rule.min + random.below(std::uint64_t{rule.max} - rule.min + 1);
    std::vector<std::uint32_t> order(rule.options);
    std::iota(order.begin(), order.end(), 0U);
    for (std::size_t left = order.size(); left > 0; --left) {
      std::swap(order[left - 1], order[random.below(left)]);
      const std::uint64_t others = std::uint64_t{rule.range} * (left - 1);
      const std::uint64_t least = sum > others ? sum - others : 0;
      const std::uint64_t most = std::min<std::uint64_t>(rule.range, sum);
      const std::uint64_t value = least + random.below(most - least + 1);
      options[order[left - 1]] = static_cast<std::uint32_t>(value);
      sum -= value;
    }
  }
  return votes;
}

SyntheticVoters::SyntheticVoters(std::shared_ptr<const Election> election,
                                 std::span<const Registrar> registrars)
    : election_(std::move(election)),
      registrars_(registrars),
      multiplier_(*election_->ballot_context(0).bases) {}

Result<SyntheticVoters::Vote> SyntheticVoters::vote(std::string_view voter, std::uint32_t style,
                                                    crypto::SecretVotes votes,
                                                    Random& random) const {
  PSEPHOS_CHECK(style < election_->manifest().num_styles());
  const crypto::BallotContext& context = election_->ballot_context(style);
  const crypto::SecretScalar sk = crypto::SecretScalar::random(random);
  const crypto::SecretSum key{.products = {{Bases::kG, &sk}}, .choices = {}};
  const crypto::Point pk = multiplier_.sums(*context.bases, {&key, 1}).front();

  Vote result;
  Ballot ballot{.style = style, .credential = {}, .encrypted = {}, .proof = {}};
  for (const Registrar& registrar : registrars_) {
    PSEPHOS_TRY(auto own, registrar.issue_own(*election_, voter, style, pk, random));
    result.issuances.push_back(own.issuance);
    ballot.credential.signatures.push_back(std::move(own.signature));
  }
  PSEPHOS_TRY(const auto opening,
              crypto::encrypt(context, pk, 0, std::move(votes), random, multiplier_));
  PSEPHOS_TRY(ballot.proof, crypto::prove(context, opening, sk, random, multiplier_));
  ballot.encrypted = opening.ballot;
  result.ballot = encode(ballot);
  return result;
}

}  // namespace psephos::protocol
