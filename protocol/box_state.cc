#include "psephos/protocol/box_state.h"

#include <string>

#include "psephos/crypto/hash.h"

namespace psephos::protocol {

namespace {

std::unexpected<Fault> refuse(Check check, std::string message) {
  return std::unexpected(
      Fault{.check = check, .place = {}, .message = std::move(message), .equation = {}});
}

}  // namespace

CredentialUse credential_use(const Manifest& manifest, const BoxEntry& entry) {
  const crypto::EncryptedBallot& encrypted = encrypted_of(entry);
  CredentialUse use{.pk = encrypted.credential.bytes(),
                    .style = style_of(entry),
                    .sequence = encrypted.sequence,
                    .is_ballot = std::holds_alternative<Ballot>(entry),
                    .ciphertexts = {}};
  if (manifest.max_challenges > 0) {
    use.ciphertexts = crypto::sha256({encode_all(encrypted.ciphertexts)});
  }
  return use;
}

BoxState::BoxState(const Manifest& manifest, std::uint32_t shard)
    : manifest_(&manifest), shard_(shard), used_(manifest.num_styles()) {}

std::expected<BoxState::Taken, Fault> BoxState::append(std::uint64_t index,
                                                       const CredentialUse& entry) {
  const Manifest& manifest = *manifest_;
  const std::uint32_t shard = shard_of(entry.pk, manifest.shards);
  if (shard != shard_) {
    return refuse(Check::one_ballot, "this credential belongs in " + Manifest::box_log(shard) +
                                         ", not in " + Manifest::box_log(shard_));
  }

  const auto found = voters_.find(entry.pk);
  const bool is_new = found == voters_.end();
  Voter voter;
  if (is_new) {
    voter.style = static_cast<std::uint16_t>(entry.style);
  } else {
    voter = found->second;
    if (entry.style != voter.style) {
      return refuse(Check::one_ballot, "this credential stands in the log with style \"" +
                                           manifest.styles[voter.style].id +
                                           "\" already and cannot use another");
    }
    // The re-vote rule comes first: it says more to a voter than a sequence number.
    if (voter.ballot_plus_one != 0 && !entry.is_ballot) {
      return refuse(
          Check::one_ballot,
          "this credential has voted already; a challenge may only come before its ballot");
    }
    if (voter.ballot_plus_one != 0 && manifest.revote == Revote::first) {
      return refuse(Check::one_ballot,
                    "this credential has voted already and the manifest allows no second ballot");
    }
    if (entry.is_ballot && voter.ballots >= manifest.max_ballots) {
      return refuse(Check::one_ballot, "the manifest allows a credential no more than " +
                                           std::to_string(manifest.max_ballots) + " ballots");
    }
    if (entry.sequence <= voter.last_sequence) {
      return refuse(Check::one_ballot,
                    "sequence " + std::to_string(entry.sequence) + " is not larger than " +
                        std::to_string(voter.last_sequence) + ", the last of this credential");
    }
  }
  if (!entry.is_ballot && voter.challenges >= manifest.max_challenges) {
    return refuse(Check::challenges, "the manifest allows a credential no more than " +
                                         std::to_string(manifest.max_challenges) + " challenges");
  }
  // Without a challenge before it an entry cannot repeat one.
  if (voter.challenges > 0 && challenged_.contains({entry.pk, entry.ciphertexts})) {
    return refuse(Check::challenges, entry.is_ballot
                                         ? "these ciphertexts were challenged and cannot be cast"
                                         : "these ciphertexts were challenged before");
  }

  Taken taken;
  if (entry.is_ballot) {
    if (voter.ballot_plus_one != 0) {
      taken.superseded = voter.ballot_plus_one - 1;
    }
    voter.ballot_plus_one = index + 1;
    ++voter.ballots;
  } else {
    ++voter.challenges;
    ++num_challenges_;
    challenged_.emplace(std::pair(entry.pk, entry.ciphertexts), index);
  }
  voter.last_sequence = entry.sequence;
  voters_.insert_or_assign(entry.pk, voter);
  if (is_new) {
    ++used_[voter.style];
  }
  return taken;
}

std::optional<std::uint32_t> BoxState::last_sequence(const crypto::Point& pk) const {
  const auto found = voters_.find(pk.bytes());
  if (found == voters_.end()) {
    return std::nullopt;
  }
  return found->second.last_sequence;
}

std::optional<std::uint64_t> BoxState::find_like(const CredentialUse& entry) const {
  if (entry.is_ballot) {
    const auto found = voters_.find(entry.pk);
    if (found == voters_.end()) {
      return std::nullopt;
    }
    const Voter& voter = found->second;
    if (voter.ballot_plus_one == 0 || entry.sequence > voter.last_sequence) {
      return std::nullopt;
    }
    return voter.ballot_plus_one - 1;
  }
  const auto found = challenged_.find({entry.pk, entry.ciphertexts});
  if (found == challenged_.end()) {
    return std::nullopt;
  }
  return found->second;
}

}  // namespace psephos::protocol
