#include "psephos/crypto/ballot_prover.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/crypto/ballot_vectors.h"
#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;

std::vector<SecretScalar> secrets(const Field& list) {
  std::vector<SecretScalar> out;
  for (const Field& item : list.array()) {
    out.push_back(secret(item.hex()));
  }
  return out;
}

std::vector<std::uint32_t> integers(const Field& list) {
  std::vector<std::uint32_t> out;
  for (const Field& item : list.array()) {
    out.push_back(static_cast<std::uint32_t>(item.u64()));
  }
  return out;
}

// Whether bit k is solved for, and so not drawn.
bool is_pivot(const BallotForm& form, std::size_t k) {
  return std::ranges::any_of(form.constraints(),
                             [k](const auto& row) { return row.entries.front().bit == k; });
}

void expect_parts(const Field& parts, const BallotProof& proof) {
  EXPECT_EQ(hex(proof.B.bytes()), parts["B"].str());
  EXPECT_EQ(hex(proof.A.bytes()), parts["A"].str());
  EXPECT_EQ(hex(proof.C.bytes()), parts["C"].str());
  EXPECT_EQ(hex(proof.D.bytes()), parts["D"].str());
  EXPECT_EQ(hex(proof.E_alpha.bytes()), parts["E_alpha"].str());
  EXPECT_EQ(hex(proof.E_beta.bytes()), parts["E_beta"].str());
  EXPECT_EQ(hex(proof.R.bytes()), parts["R"].str());
  const std::vector<Field> f = parts["f"].array();
  ASSERT_EQ(f.size(), proof.f.size());
  for (std::size_t k = 0; k < f.size(); ++k) {
    EXPECT_EQ(hex(proof.f[k].bytes()), f[k].str());
  }
  EXPECT_EQ(hex(proof.z_A.bytes()), parts["z_A"].str());
  EXPECT_EQ(hex(proof.z_C.bytes()), parts["z_C"].str());
  EXPECT_EQ(hex(proof.z_E.bytes()), parts["z_E"].str());
  EXPECT_EQ(hex(proof.s.bytes()), parts["s"].str());
}

// The challenges by the words of the specification, with the digests behind them.
void expect_challenges(const Field& item, const BallotContext& context,
                       const BallotOpening& opening, const BallotProof& proof) {
  const auto u32be = [](std::uint32_t value) {
    Writer out;
    out.u32(value);
    return std::move(out).take();
  };
  Transcript transcript("ballot");
  transcript.absorb("election", context.election_id);
  transcript.absorb("style", u32be(context.style));
  transcript.absorb("credential", opening.ballot.credential.bytes());
  transcript.absorb("sequence", u32be(opening.ballot.sequence));
  transcript.absorb("ciphertexts", item["ciphertexts"].hex());
  transcript.absorb("bits", proof.B.bytes());
  transcript.absorb("masks", proof.A.bytes());
  transcript.absorb("cross", proof.C.bytes());
  transcript.absorb("squares", proof.D.bytes());
  Transcript y_context = transcript;
  y_context.absorb("y", {});
  EXPECT_EQ(hex(y_context.digest()), item["y_digest"].str());
  const Scalar y = transcript.challenge("y");
  EXPECT_EQ(y, scalar(item["y"].hex()));
  Bytes link = encoded(proof.E_alpha);
  const Bytes beta = encoded(proof.E_beta);
  link.insert(link.end(), beta.begin(), beta.end());
  transcript.absorb("link", link);
  transcript.absorb("nonce", proof.R.bytes());
  Transcript x_context = transcript;
  x_context.absorb("x", {});
  EXPECT_EQ(hex(x_context.digest()), item["x_digest"].str());
  const Scalar x = transcript.challenge("x");
  EXPECT_EQ(x, scalar(item["x"].hex()));

  BallotTranscript ours(context, opening.ballot);
  EXPECT_EQ(ours.y(proof.B, proof.A, proof.C, proof.D), y);
  EXPECT_EQ(ours.x(proof.E_alpha, proof.E_beta, proof.R), x);
}

TEST(BallotProver, PsephosValid) {
  PSEPHOS_LOAD_VECTORS(vectors, "psephos_ballot.json");
  for (const char* other : {"format", "layout", "cover", "contests_refused", "invalid", "batch"}) {
    vectors.ignore(other, "other tests");
  }
  vectors["counts"].ignore("invalid", "ballot_proof_test");
  vectors["counts"].ignore("batch", "ballot_proof_test");
  const VectorForms forms(vectors.root());
  const std::vector<Field> valid = vectors["valid"].array();
  EXPECT_EQ(valid.size(), vectors["counts"]["valid"].u64());

  std::size_t replaced = 0;
  for (const Field& item : valid) {
    const std::string title = item["name"].str();
    SCOPED_TRACE(title);
    const BallotContext context = forms.context(item).value();
    const BallotForm& form = context.form;
    const SecretScalar sk = secret(item["credential_secret"].hex());
    const Scalar joint_secret = scalar(item["joint_secret"].hex());
    EXPECT_EQ(joint_secret * Point::base(), context.joint_key());

    const Field random = item["random"];
    const auto read_nonces = [&random] {
      return BallotNonces{.r_B = secret(random["r_B"].hex()),
                          .r_A = secret(random["r_A"].hex()),
                          .r_C = secret(random["r_C"].hex()),
                          .r_D = secret(random["r_D"].hex()),
                          .rho = secret(random["rho"].hex()),
                          .k = secret(random["k"].hex()),
                          .a = secrets(random["a"])};
    };
    BallotNonces nonces = read_nonces();
    const Bytes ciphertexts = item["ciphertexts"].hex();
    Reader ciphertexts_in(ciphertexts);
    const std::vector<std::uint32_t> votes = integers(item["votes"]);
    BallotOpening opening{
        .ballot = {.credential = point(item["credential"].hex()),
                   .sequence = sequence(item),
                   .ciphertexts = decode_ciphertexts(ciphertexts_in, form).value()},
        .votes = SecretVotes(votes),
        .r = secrets(random["r"])};
    EXPECT_EQ(multiply_base(sk), opening.ballot.credential);

    // The seed yields every value, except where the name says that some were replaced.
    const std::string seed = random["seed"].str();
    if (title.starts_with("A, C, D") || title.find("is the identity") != std::string::npos) {
      ++replaced;
    } else {
      Drbg drbg(seed);
      EXPECT_EQ(drbg.next(), sk.declassify());
      for (const SecretScalar& r : opening.r) {
        EXPECT_EQ(drbg.next(), r.declassify());
      }
      for (const SecretScalar* r : {&nonces.r_B, &nonces.r_A, &nonces.r_C, &nonces.r_D}) {
        EXPECT_EQ(drbg.next(), r->declassify());
      }
      for (std::size_t k = 0; k < form.num_bits(); ++k) {
        if (!is_pivot(form, k)) {
          EXPECT_EQ(drbg.next(), nonces.a[k].declassify());
        }
      }
      EXPECT_EQ(drbg.next(), nonces.rho.declassify());
      EXPECT_EQ(drbg.next(), nonces.k.declassify());
    }

    // The ciphertexts from r, and what they decrypt to.
    for (std::size_t j = 0; j < form.num_options(); ++j) {
      const Scalar r = opening.r[j].declassify();
      const Point vote = Scalar::from_u64(votes[j]) * Point::base();
      const Ciphertext& c = opening.ballot.ciphertexts[j];
      EXPECT_EQ(c.alpha, r * Point::base());
      EXPECT_EQ(c.beta, r * context.joint_key() + vote);
      EXPECT_EQ(c.beta - joint_secret * c.alpha, vote);
    }

    const std::vector<std::uint32_t> wide_bits = integers(item["bits"]);
    const SecretBuffer bits(Bytes(wide_bits.begin(), wide_bits.end()));
    const SecretBuffer canonical = to_bits(form, opening.votes).value();
    EXPECT_EQ(ct_equal(canonical.expose_secret(), bits.expose_secret()),
              title.find("by the other of its two representations") == std::string::npos);

    const BallotProof proof =
        prove_with_nonces_for_testing(context, opening, bits, sk, std::move(nonces)).value();
    EXPECT_EQ(hex(encoded(proof)), item["proof"].str());
    EXPECT_EQ(encoded(prove_with_nonces_for_testing(context, opening, bits, sk, read_nonces(),
                                                    TableMultiplier(*context.bases))
                          .value()),
              encoded(proof));
    expect_parts(item["parts"], proof);
    expect_challenges(item, context, opening, proof);
    EXPECT_TRUE(
        judge(context, item["credential"].hex(), sequence(item), ciphertexts, item["proof"].hex())
            .empty());
  }
  EXPECT_EQ(replaced, 3U);
}

std::vector<std::uint32_t> decoded_votes(const BallotForm& form, ByteView bits) {
  std::vector<std::uint32_t> votes;
  for (const auto& row : form.rows()) {
    std::uint32_t vote = 0;
    for (const auto& [bit, weight] : row) {
      vote += weight * bits[bit];
    }
    votes.push_back(vote);
  }
  return votes;
}

// All vectors of values 0..range + 1 for one contest: to_bits must take exactly the valid ones.
void expect_exact(const ContestRule& rule) {
  const BallotForm form = BallotForm::compile({&rule, 1}).value();
  std::vector<std::uint32_t> votes(rule.options);
  while (true) {
    std::uint64_t sum = 0;
    bool valid = true;
    for (const std::uint32_t vote : votes) {
      sum += vote;
      valid = valid && vote <= rule.range;
    }
    valid = valid && rule.min <= sum && sum <= rule.max;
    const auto bits = to_bits(form, SecretVotes(votes));
    ASSERT_EQ(bits.has_value(), valid) << sum;
    if (valid) {
      const ByteView b = bits->expose_secret();
      EXPECT_TRUE(std::ranges::all_of(b, [](std::uint8_t bit) { return bit <= 1; }));
      EXPECT_EQ(decoded_votes(form, b), votes);
      for (const auto& row : form.constraints()) {
        std::uint64_t total = 0;
        for (const auto& [bit, weight] : row.entries) {
          total += std::uint64_t{weight} * b[bit];
        }
        EXPECT_EQ(total, row.target);
      }
    } else {
      EXPECT_EQ(bits.error().code, Errc::misuse);
    }
    std::size_t j = 0;
    while (j < votes.size() && votes[j] == rule.range + 1) {
      votes[j++] = 0;
    }
    if (j == votes.size()) {
      return;
    }
    ++votes[j];
  }
}

TEST(ToBits, TakesExactlyTheValidVotes) {
  for (std::uint32_t options = 1; options <= 3; ++options) {
    for (std::uint32_t range = 1; range <= 4; ++range) {
      for (std::uint32_t max = 0; max <= options * range; ++max) {
        for (std::uint32_t min = 0; min <= max; ++min) {
          expect_exact({.options = options, .range = range, .min = min, .max = max});
        }
      }
    }
  }
}

TEST(ToBits, ExtremeValues) {
  const ContestRule rule{.options = 1, .range = 0xffffffff, .min = 0, .max = 0xffffffff};
  const BallotForm form = BallotForm::compile({&rule, 1}).value();
  for (const std::uint32_t vote : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xffffffffU}) {
    const auto bits = to_bits(form, SecretVotes(std::vector{vote}));
    ASSERT_TRUE(bits.has_value());
    EXPECT_EQ(decoded_votes(form, bits->expose_secret()), std::vector{vote});
  }
  const ContestRule pair{.options = 2, .range = 1, .min = 0, .max = 1};
  const BallotForm small = BallotForm::compile({&pair, 1}).value();
  for (const auto& votes : std::vector<std::vector<std::uint32_t>>{
           {0xffffffff, 2}, {2, 0xffffffff}, {0xffffffff, 1}, {0x80000000, 0x80000000}, {1, 1}}) {
    EXPECT_FALSE(to_bits(small, SecretVotes(votes)).has_value());
  }
}

TEST(ToBits, WrongNumberOfOptionsIsRefused) {
  const ContestRule rule{.options = 3, .range = 1, .min = 1, .max = 1};
  const BallotForm form = BallotForm::compile({&rule, 1}).value();
  for (const std::size_t size : {0U, 2U, 4U}) {
    const auto bits = to_bits(form, SecretVotes(size));
    ASSERT_FALSE(bits.has_value());
    EXPECT_EQ(bits.error().code, Errc::misuse);
  }
}

TEST(BallotProver, RandomFormsRoundTrip) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(20); ++i) {
    const std::vector<ContestRule> contests = random_contests(random);
    const Election election = make_election(contests, random);
    const BallotOpening opening = random_ballot(election, random);
    const BallotContext& context = election.context;
    for (std::size_t j = 0; j < opening.votes.size(); ++j) {
      const Ciphertext& c = opening.ballot.ciphertexts[j];
      const Scalar r = opening.r[j].declassify();
      const Point vote = Scalar::from_u64(opening.votes.expose_secret()[j]) * Point::base();
      EXPECT_EQ(c.alpha, r * Point::base());
      EXPECT_EQ(c.beta, r * context.joint_key() + vote);
    }
    const BallotProof proof = prove(context, opening, election.sk, random).value();
    const Bytes proof_bytes = encoded(proof);
    const Bytes ciphertexts = encode_all(opening.ballot.ciphertexts);
    EXPECT_EQ(proof_bytes.size(), context.form.proof_size());
    EXPECT_EQ(ciphertexts.size(), context.form.ciphertexts_size());
    Reader in(proof_bytes);
    EXPECT_EQ(encoded(BallotProof::decode(in, context.form).value()), proof_bytes);
    EXPECT_EQ(
        judge(context, encoded(election.pk), opening.ballot.sequence, ciphertexts, proof_bytes),
        std::vector<std::string>{});
  }
}

// The same random bytes give the same ballot, whatever computes it.
TEST(BallotProver, MultipliersAgree) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(10); ++i) {
    const std::vector<ContestRule> contests = random_contests(random);
    const Election election = make_election(contests, random);
    const std::vector<std::uint32_t> votes = random_votes(contests, random);
    const TableMultiplier tables(*election.context.bases);
    const SodiumMultiplier sodium;
    const std::uint64_t seed = random.below(1000);
    const auto ballot = [&](const Multiplier& multiplier) {
      test::SeededRandom same(seed);
      const BallotOpening opening =
          encrypt(election.context, election.pk, 1, SecretVotes(votes), same, multiplier).value();
      const BallotProof proof =
          prove(election.context, opening, election.sk, same, multiplier).value();
      return Writer().raw(encode_all(opening.ballot.ciphertexts)).raw(encoded(proof)).bytes();
    };
    EXPECT_EQ(hex(ballot(tables)), hex(ballot(sodium)));
  }
}

TEST(BallotProver, AnotherCredentialsKeyIsRefusedByEveryMultiplier) {
  test::SeededRandom random;
  const std::vector<ContestRule> contests = random_contests(random);
  const Election election = make_election(contests, random);
  const BallotOpening opening = random_ballot(election, random);
  const SecretScalar other = SecretScalar::random(random);
  const TableMultiplier tables(*election.context.bases);
  const SodiumMultiplier sodium;
  for (const Multiplier* multiplier : std::initializer_list<const Multiplier*>{&tables, &sodium}) {
    const auto proof = prove(election.context, opening, other, random, *multiplier);
    ASSERT_FALSE(proof.has_value());
    EXPECT_EQ(proof.error().code, Errc::misuse);
  }
}

TEST(BallotProver, SumOfBallotsDecryptsToSumOfVotes) {
  test::SeededRandom random;
  const std::vector<ContestRule> contests = random_contests(random);
  const Election election = make_election(contests, random);
  std::vector<Ciphertext> sum(election.context.form.num_options());
  std::vector<std::uint64_t> total(sum.size());
  for (std::size_t i = 0; i < test::iterations(10); ++i) {
    const BallotOpening opening = random_ballot(election, random);
    for (std::size_t j = 0; j < sum.size(); ++j) {
      sum[j] = sum[j] + opening.ballot.ciphertexts[j];
      total[j] += opening.votes.expose_secret()[j];
    }
  }
  for (std::size_t j = 0; j < sum.size(); ++j) {
    EXPECT_EQ(sum[j].beta - multiply(election.joint_secret, sum[j].alpha),
              Scalar::from_u64(total[j]) * Point::base());
  }
}

TEST(BallotProver, InvalidVotesAreNotEncrypted) {
  test::SeededRandom random;
  const ContestRule rule{.options = 3, .range = 1, .min = 1, .max = 1};
  const Election election = make_election({&rule, 1}, random);
  for (const auto& votes : std::vector<std::vector<std::uint32_t>>{
           {0, 0, 0}, {1, 1, 0}, {2, 0, 0}, {1, 1, 1}, {0xffffffff, 1, 1}, {1, 0}, {1, 0, 0, 0}}) {
    const auto opening = encrypt(election.context, election.pk, 0, SecretVotes(votes), random);
    ASSERT_FALSE(opening.has_value());
    EXPECT_EQ(opening.error().code, Errc::misuse);
  }
}

TEST(BallotProver, UnfittingOpeningsAreRefused) {
  test::SeededRandom random;
  const ContestRule rule{.options = 2, .range = 1, .min = 1, .max = 1};
  const Election election = make_election({&rule, 1}, random);
  const auto expect_refused = [&](const BallotContext& context, const BallotOpening& opening,
                                  const SecretScalar& sk) {
    const auto proof = prove(context, opening, sk, random);
    ASSERT_FALSE(proof.has_value());
    EXPECT_EQ(proof.error().code, Errc::misuse);
  };
  BallotOpening opening = random_ballot(election, random);
  expect_refused(election.context, opening, SecretScalar::random(random));
  BallotContext no_bases = election.context;
  no_bases.bases = nullptr;
  expect_refused(no_bases, opening, election.sk);
  opening.r.pop_back();
  expect_refused(election.context, opening, election.sk);
  opening = random_ballot(election, random);
  opening.ballot.ciphertexts.pop_back();
  expect_refused(election.context, opening, election.sk);
  opening = random_ballot(election, random);
  opening.votes = SecretVotes(std::vector<std::uint32_t>{1, 1});
  expect_refused(election.context, opening, election.sk);
}

TEST(BallotProver, VotesOtherThanThoseEncryptedDoNotVerify) {
  test::SeededRandom random;
  const ContestRule rule{.options = 2, .range = 1, .min = 1, .max = 1};
  const Election election = make_election({&rule, 1}, random);
  BallotOpening opening =
      encrypt(election.context, election.pk, 0, SecretVotes(std::vector{1U, 0U}), random).value();
  opening.votes = SecretVotes(std::vector{0U, 1U});
  const BallotProof proof = prove(election.context, opening, election.sk, random).value();
  EXPECT_EQ(failing_checks(election.context, opening.ballot, proof, IndividualEvaluator()),
            std::vector{BallotCheck::equation_4});
}

TEST(BallotNonces, AreDrawnInOrderFromTheKernel) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(10); ++i) {
    const BallotForm form = BallotForm::compile(random_contests(random)).value();
    test::SeededRandom a(i);
    test::SeededRandom b(i);
    HedgedNonces source(a, {}, {});
    HedgedNonces expected(b, {}, {});
    const BallotNonces nonces = BallotNonces::draw(form, source);
    for (const SecretScalar* r : {&nonces.r_B, &nonces.r_A, &nonces.r_C, &nonces.r_D}) {
      EXPECT_EQ(r->declassify(), expected.next().declassify());
    }
    ASSERT_EQ(nonces.a.size(), form.num_bits());
    for (std::size_t k = 0; k < form.num_bits(); ++k) {
      if (!is_pivot(form, k)) {
        EXPECT_EQ(nonces.a[k].declassify(), expected.next().declassify());
      }
    }
    EXPECT_EQ(nonces.rho.declassify(), expected.next().declassify());
    EXPECT_EQ(nonces.k.declassify(), expected.next().declassify());
    for (const auto& row : form.constraints()) {
      Scalar sum;
      for (const auto& [bit, weight] : row.entries) {
        sum = sum + Scalar::from_u64(weight) * nonces.a[bit].declassify();
      }
      EXPECT_TRUE(sum.is_zero());
    }
  }
}

TEST(BallotProver, RepeatedRandomnessDoesNotRepeatNonces) {
  // As after a fork or a restored snapshot: the same stream, another ballot.
  test::SeededRandom random;
  const ContestRule rule{.options = 2, .range = 1, .min = 1, .max = 1};
  const Election election = make_election({&rule, 1}, random);
  const auto encrypted = [&](std::uint32_t number, std::uint32_t first) {
    test::SeededRandom same(5);
    return encrypt(election.context, election.pk, number,
                   SecretVotes(std::vector<std::uint32_t>{first, 1 - first}), same)
        .value();
  };
  const BallotOpening one = encrypted(0, 1);
  EXPECT_EQ(one.ballot.ciphertexts, encrypted(0, 1).ballot.ciphertexts);
  EXPECT_NE(one.ballot.ciphertexts[0].alpha, encrypted(1, 1).ballot.ciphertexts[0].alpha);
  EXPECT_NE(one.ballot.ciphertexts[0].alpha, encrypted(0, 0).ballot.ciphertexts[0].alpha);

  const BallotOpening two = encrypted(1, 1);
  test::SeededRandom a(6);
  test::SeededRandom b(6);
  const BallotProof first = prove(election.context, one, election.sk, a).value();
  const BallotProof second = prove(election.context, two, election.sk, b).value();
  EXPECT_NE(first.R, second.R);
  EXPECT_NE(first.E_alpha, second.E_alpha);
}

TEST(SecretVotes, MoveLeavesNothing) {
  SecretVotes votes(std::vector<std::uint32_t>{1, 2, 3});
  SecretVotes other(2);
  other = std::move(votes);
  EXPECT_EQ(votes.size(), 0U);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(other.size(), 3U);
  EXPECT_EQ(other.expose_secret()[2], 3U);
  const SecretVotes last = std::move(other);
  EXPECT_EQ(last.size(), 3U);
}

}  // namespace
}  // namespace psephos::crypto
