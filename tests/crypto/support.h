// What the tests of the group and the proofs share: values from bytes, random values, random
// ballots.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/crypto/ballot_proof.h"
#include "psephos/crypto/ballot_prover.h"
#include "psephos/crypto/hash.h"
#include "psephos/crypto/point.h"
#include "psephos/crypto/scalar.h"
#include "psephos/crypto/secret_scalar.h"

namespace psephos::crypto {

// Vectors are canonical where these are used: value() throws, and fails the test, otherwise.
inline Scalar scalar(ByteView bytes) { return Scalar::decode(bytes).value(); }
inline Point point(ByteView bytes) { return Point::decode(bytes, Identity::accepted).value(); }
inline SecretScalar secret(ByteView bytes) { return SecretScalar::decode(bytes).value(); }

template <class T>
Bytes encoded(const T& value) {
  Writer out;
  value.encode(out);
  return std::move(out).take();
}

inline Scalar random_scalar(Random& random) {
  std::array<std::uint8_t, 64> bytes;
  random.fill(bytes);
  return Scalar::reduce(bytes);
}

inline Point random_point(Random& random) {
  std::array<std::uint8_t, 64> bytes;
  random.fill(bytes);
  return Point::from_hash(bytes);
}

// The reference's generator of the vectors: the i-th scalar is SHA-512("psephos/reference/drbg" ‖
// u32be(|seed|) ‖ seed ‖ u64be(i)) mod q.
class Drbg {
 public:
  explicit Drbg(std::string_view seed) : seed_(seed) {}
  Scalar next() {
    Writer input;
    input.raw(as_bytes("psephos/reference/drbg")).var(seed_).u64(next_++);
    return Scalar::reduce(sha512({input.bytes()}));
  }

 private:
  std::string seed_;
  std::uint64_t next_ = 0;
};

inline std::uint32_t random_between(Random& random, std::uint64_t low, std::uint64_t high) {
  return static_cast<std::uint32_t>(low + random.below(high - low + 1));
}

inline std::vector<ContestRule> random_contests(Random& random) {
  std::vector<ContestRule> contests(random_between(random, 1, 3));
  for (ContestRule& rule : contests) {
    rule.options = random_between(random, 1, 4);
    rule.range = random_between(random, 1, 5);
    const std::uint64_t top = std::uint64_t{rule.options} * rule.range;
    rule.max = random_between(random, 0, top);
    rule.min = random_between(random, 0, rule.max);
    if (random.below(3) == 0) {
      rule.min = 0;
      rule.max = static_cast<std::uint32_t>(top);
    }
  }
  return contests;
}

inline std::vector<std::uint32_t> random_votes(std::span<const ContestRule> contests,
                                               Random& random) {
  std::vector<std::uint32_t> votes;
  for (const ContestRule& rule : contests) {
    std::vector<std::uint32_t> part(rule.options);
    for (std::uint32_t left = random_between(random, rule.min, rule.max); left > 0;) {
      std::uint32_t& vote = part[random.below(part.size())];
      if (vote < rule.range) {
        ++vote;
        --left;
      }
    }
    votes.insert(votes.end(), part.begin(), part.end());
  }
  return votes;
}

// A style with its joint key's secret, and one voter.
struct Election {
  SecretScalar joint_secret;
  SecretScalar sk;
  Point pk;
  BallotContext context;
};

inline Election make_election(std::span<const ContestRule> contests, Random& random) {
  SecretScalar joint_secret = SecretScalar::random(random);
  SecretScalar sk = SecretScalar::random(random);
  BallotForm form = BallotForm::compile(contests).value();
  auto bases = std::make_shared<const Bases>(multiply_base(joint_secret), form.num_bits());
  Election election{.joint_secret = std::move(joint_secret),
                    .sk = sk.clone(),
                    .pk = multiply_base(sk),
                    .context = {.election_id = {},
                                .style = random_between(random, 0, 0xffffffff),
                                .form = std::move(form),
                                .bases = std::move(bases)}};
  random.fill(election.context.election_id);
  return election;
}

inline BallotOpening random_ballot(const Election& election, Random& random) {
  const auto votes = random_votes(election.context.form.contests(), random);
  return encrypt(election.context, election.pk, random_between(random, 0, 0xffffffff),
                 SecretVotes(votes), random)
      .value();
}

// judge decodes a ballot as it is sent and names every check that fails: what a verifier does.
inline std::vector<std::string> judge(const BallotContext& context, ByteView credential,
                                      std::uint32_t sequence, ByteView ciphertexts,
                                      ByteView proof_bytes) {
  EncryptedBallot ballot{.credential = {}, .sequence = sequence, .ciphertexts = {}};
  const auto proof = [&]() -> Result<BallotProof> {
    PSEPHOS_TRY(ballot.credential, Point::decode(credential, Identity::refused));
    Reader ciphertexts_in(ciphertexts);
    PSEPHOS_TRY(ballot.ciphertexts, decode_ciphertexts(ciphertexts_in, context.form));
    PSEPHOS_CHECK_OK(ciphertexts_in.finish("ciphertexts"));
    Reader proof_in(proof_bytes);
    PSEPHOS_TRY(BallotProof decoded, BallotProof::decode(proof_in, context.form));
    PSEPHOS_CHECK_OK(proof_in.finish("proof"));
    return decoded;
  }();
  if (!proof.has_value()) {
    return {std::string(name(BallotCheck::decode))};
  }
  std::vector<std::string> names;
  for (const BallotCheck check : failing_checks(context, ballot, *proof, IndividualEvaluator())) {
    names.emplace_back(name(check));
  }
  return names;
}

}  // namespace psephos::crypto
