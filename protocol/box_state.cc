#include "psephos/protocol/box_state.h"

#include <string>

#include "psephos/crypto/hash.h"

namespace psephos::protocol {

namespace {

std::unexpected<Fault> refuse(Check check, std::string message) {
  return std::unexpected(
      Fault{.check = check, .place = {}, .message = std::move(message), .equation = {}});
}

Digest32 digest_of(const crypto::EncryptedBallot& ballot) {
  return crypto::sha256({encode_all(ballot.ciphertexts)});
}

}  // namespace

BoxState::BoxState(const Election& election, std::uint32_t shard)
    : election_(&election), shard_(shard), used_(election.manifest().num_styles()) {}

std::expected<BoxState::Taken, Fault> BoxState::append(std::uint64_t index, const BoxEntry& entry) {
  const Manifest& manifest = election_->manifest();
  const crypto::EncryptedBallot& encrypted = encrypted_of(entry);
  const bool is_ballot = std::holds_alternative<Ballot>(entry);
  const Key& key = encrypted.credential.bytes();
  const std::uint32_t shard = shard_of(encrypted.credential, manifest.shards);
  if (shard != shard_) {
    return refuse(Check::one_ballot, "this credential belongs in " + Manifest::box_log(shard) +
                                         ", not in " + Manifest::box_log(shard_));
  }

  const auto found = voters_.find(key);
  const bool is_new = found == voters_.end();
  Voter voter;
  if (is_new) {
    voter.style = static_cast<std::uint16_t>(style_of(entry));
  } else {
    voter = found->second;
    if (style_of(entry) != voter.style) {
      return refuse(Check::one_ballot, "this credential stands in the log with style \"" +
                                           manifest.styles[voter.style].id +
                                           "\" already and cannot use another");
    }
    // The re-vote rule comes first: it says more to a voter than a sequence number.
    if (voter.ballot_plus_one != 0 && !is_ballot) {
      return refuse(
          Check::one_ballot,
          "this credential has voted already; a challenge may only come before its ballot");
    }
    if (voter.ballot_plus_one != 0 && manifest.revote == Revote::first) {
      return refuse(Check::one_ballot,
                    "this credential has voted already and the manifest allows no second ballot");
    }
    if (is_ballot && voter.ballots >= manifest.max_ballots) {
      return refuse(Check::one_ballot, "the manifest allows a credential no more than " +
                                           std::to_string(manifest.max_ballots) + " ballots");
    }
    if (encrypted.sequence <= voter.last_sequence) {
      return refuse(Check::one_ballot,
                    "sequence " + std::to_string(encrypted.sequence) + " is not larger than " +
                        std::to_string(voter.last_sequence) + ", the last of this credential");
    }
  }
  if (!is_ballot && voter.challenges >= manifest.max_challenges) {
    return refuse(Check::challenges, "the manifest allows a credential no more than " +
                                         std::to_string(manifest.max_challenges) + " challenges");
  }
  // Without a challenge before it an entry cannot repeat one.
  if (voter.challenges > 0 && challenged_.contains({key, digest_of(encrypted)})) {
    return refuse(Check::challenges, is_ballot
                                         ? "these ciphertexts were challenged and cannot be cast"
                                         : "these ciphertexts were challenged before");
  }

  Taken taken;
  if (is_ballot) {
    if (voter.ballot_plus_one != 0) {
      taken.superseded = voter.ballot_plus_one - 1;
    }
    voter.ballot_plus_one = index + 1;
    ++voter.ballots;
  } else {
    ++voter.challenges;
    ++num_challenges_;
    challenged_.emplace(std::pair(key, digest_of(encrypted)), index);
  }
  voter.last_sequence = encrypted.sequence;
  voters_.insert_or_assign(key, voter);
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

std::optional<std::uint64_t> BoxState::find_like(const BoxEntry& entry) const {
  const crypto::EncryptedBallot& encrypted = encrypted_of(entry);
  const Key& key = encrypted.credential.bytes();
  if (std::holds_alternative<Ballot>(entry)) {
    const auto found = voters_.find(key);
    if (found == voters_.end()) {
      return std::nullopt;
    }
    const Voter& voter = found->second;
    if (voter.ballot_plus_one == 0 || encrypted.sequence > voter.last_sequence) {
      return std::nullopt;
    }
    return voter.ballot_plus_one - 1;
  }
  const auto found = challenged_.find({key, digest_of(encrypted)});
  if (found == challenged_.end()) {
    return std::nullopt;
  }
  return found->second;
}

}  // namespace psephos::protocol
