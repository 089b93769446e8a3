#include "psephos/crypto/polynomial.h"

#include <algorithm>
#include <numeric>

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;

const IndividualEvaluator evaluator;

// Σ λ_i·share_i over the indices.
Scalar interpolate(std::span<const std::uint32_t> indices, const SecretPolynomial& f) {
  const std::vector<Scalar> lambda = lagrange_at_zero(indices).value();
  SecretScalar sum;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    sum = sum + lambda[i] * f.share(indices[i]);
  }
  return sum.declassify();
}

TEST(SecretPolynomial, AnyThresholdOfSharesReconstructs) {
  test::SeededRandom random;
  for (std::uint32_t n = 1; n <= 6; ++n) {
    for (std::uint32_t t = 1; t <= n; ++t) {
      const SecretPolynomial f = SecretPolynomial::random(t, random);
      ASSERT_EQ(f.coefficients().size(), t);
      const Scalar expected = f.coefficients()[0].declassify();
      const std::vector<Point> commitments = f.commitments();
      ASSERT_EQ(commitments.size(), t);
      // A random set of t indices, and one of t − 1, which must not do.
      std::vector<std::uint32_t> all(n);
      std::iota(all.begin(), all.end(), 1U);
      for (std::size_t i = all.size(); i > 1; --i) {
        std::swap(all[i - 1], all[random.below(i)]);
      }
      const std::span<const std::uint32_t> set(all.data(), t);
      EXPECT_EQ(interpolate(set, f), expected) << t << " of " << n;
      if (t > 1) {
        EXPECT_NE(interpolate(set.first(t - 1), f), expected) << t << " of " << n;
      }
      for (const std::uint32_t index : all) {
        EXPECT_EQ(multiply_base(f.share(index)), evaluate_commitments(commitments, index));
        EXPECT_NE(multiply_base(f.share(index) + SecretScalar::from_u64(1)),
                  evaluate_commitments(commitments, index));
      }
    }
  }
}

TEST(SecretPolynomialDeathTest, ShareZeroIsTheSecretAndIsNotGiven) {
  const SecretPolynomial f(std::vector<SecretScalar>(1));
  EXPECT_DEATH((void)f.share(0), "broken invariant");
  EXPECT_DEATH((void)SecretPolynomial(std::vector<SecretScalar>()), "broken invariant");
}

SecretPolynomial polynomial(const Field& constant, const std::vector<Field>& rest) {
  std::vector<SecretScalar> coefficients;
  coefficients.push_back(secret(constant.hex()));
  for (const Field& item : rest) {
    coefficients.push_back(secret(item.hex()));
  }
  return SecretPolynomial(std::move(coefficients));
}

void expect_shares(const SecretPolynomial& f, const Field& shares) {
  const std::vector<Point> commitments = f.commitments();
  for (const Field& item : shares.array()) {
    const auto index = static_cast<std::uint32_t>(item["identifier"].u64());
    const Scalar share = scalar(item["participant_share"].hex());
    EXPECT_EQ(f.share(index).declassify(), share) << index;
    EXPECT_EQ(evaluate_commitments(commitments, index), share * Point::base()) << index;
  }
}

TEST(Threshold, Rfc9591Frost) {
  PSEPHOS_LOAD_VECTORS(vectors, "threshold_ristretto255.json", "frost");
  vectors.ignore("round_one_outputs", "FROST's signing is not built here");
  vectors.ignore("round_two_outputs", "FROST's signing is not built here");
  vectors.ignore("final_output", "FROST's signing is not built here");
  vectors["config"].ignore("name", "prose");
  vectors["config"].ignore("hash", "used in signing only");
  EXPECT_EQ(vectors["config"]["group"].str(), "ristretto255");
  EXPECT_EQ(vectors["config"]["MAX_PARTICIPANTS"].str(), "3");
  EXPECT_EQ(vectors["config"]["NUM_PARTICIPANTS"].str(), "2");
  EXPECT_EQ(vectors["config"]["MIN_PARTICIPANTS"].str(), "2");

  const Field inputs = vectors["inputs"];
  inputs.ignore("message", "FROST's signing is not built here");
  const SecretPolynomial f =
      polynomial(inputs["group_secret_key"], inputs["share_polynomial_coefficients"].array());
  EXPECT_EQ(f.commitments()[0], point(inputs["group_public_key"].hex()));
  expect_shares(f, inputs["participant_shares"]);
  std::vector<std::uint32_t> set;
  for (const Field& index : inputs["participant_list"].array()) {
    set.push_back(static_cast<std::uint32_t>(index.u64()));
  }
  EXPECT_EQ(interpolate(set, f), f.coefficients()[0].declassify());
}

TEST(Threshold, BigIdentifiers) {
  PSEPHOS_LOAD_VECTORS(vectors, "threshold_ristretto255.json", "big_identifiers");
  const SecretPolynomial f =
      polynomial(vectors["group_secret_key"], vectors["coefficients"].array());
  expect_shares(f, vectors["shares"]);
  std::vector<std::uint32_t> list;
  for (const Field& index : vectors["list"].array()) {
    list.push_back(static_cast<std::uint32_t>(index.u64()));
  }
  EXPECT_EQ(interpolate(list, f), f.coefficients()[0].declassify());
}

// z·G − R − c·P, the verification equation of a Schnorr signature (R, z) under P.
LinearRelation schnorr(ByteView signature, const Scalar& challenge, const Point& key) {
  LinearRelation relation;
  relation.own = {{scalar(signature.subspan(32)), Point::base()},
                  {-Scalar::one(), point(signature.first(32))},
                  {-challenge, key}};
  return relation;
}

std::vector<Point> points(const Field& list) {
  std::vector<Point> out;
  for (const Field& item : list.array()) {
    out.push_back(point(item.hex()));
  }
  return out;
}

TEST(Threshold, ZcashKeyGeneration) {
  PSEPHOS_LOAD_VECTORS(vectors, "threshold_ristretto255.json", "zcash_dkg");
  const Field config = vectors["config"];
  config.ignore("name", "says Ed25519; the values are of ristretto255");
  config.ignore("group", "says Ed25519; the values are of ristretto255");
  config.ignore("hash", "used in signing only");
  const std::uint64_t n = config["MAX_PARTICIPANTS"].u64();
  const std::uint64_t t = config["MIN_PARTICIPANTS"].u64();

  const Field inputs = vectors["inputs"];
  std::vector<SecretPolynomial> polynomials;
  std::vector<std::vector<Point>> commitments;
  for (std::uint32_t i = 1; i <= n; ++i) {
    const Field item = inputs[std::to_string(i)];
    EXPECT_EQ(item["identifier"].u64(), i);
    polynomials.push_back(polynomial(item["signing_key"], {item["coefficient"]}));
    commitments.push_back(points(item["vss_commitments"]));
    ASSERT_EQ(commitments.back().size(), t);
    EXPECT_EQ(commitments.back(), polynomials.back().commitments());

    const Bytes proof = item["proof_of_knowledge"].hex();
    ASSERT_EQ(proof.size(), 64U);
    const Point& key = commitments.back()[0];
    const auto challenge = [&](const Scalar& identifier) {
      return Scalar::reduce(sha512({as_bytes("FROST-RISTRETTO255-SHA512-v1"), as_bytes("dkg"),
                                    identifier.bytes(), key.bytes(), ByteView(proof).first(32)}));
    };
    const Scalar own = Scalar::from_u64(i);
    EXPECT_TRUE(evaluator.holds(schnorr(proof, challenge(own), key))) << i;
    EXPECT_FALSE(evaluator.holds(schnorr(proof, challenge(own + Scalar::one()), key))) << i;
  }

  Point joint_key;
  for (std::uint32_t j = 1; j <= n; ++j) {
    const Field item = inputs[std::to_string(j)];
    SecretScalar share;
    Point public_share;
    for (std::uint32_t i = 1; i <= n; ++i) {
      const SecretScalar part = polynomials[i - 1].share(j);
      const Point checked = evaluate_commitments(commitments[i - 1], j);
      EXPECT_EQ(multiply_base(part), checked);
      share = share + part;
      public_share = public_share + checked;
      if (i != j) {
        EXPECT_EQ(part.declassify(), scalar(item["signing_shares"][std::to_string(i)].hex()));
      }
    }
    EXPECT_EQ(share.declassify(), scalar(item["signing_share"].hex()));
    EXPECT_EQ(public_share, point(item["verifying_share"].hex()));
    joint_key = joint_key + commitments[j - 1][0];
  }
  EXPECT_EQ(joint_key, point(inputs["verifying_key"].hex()));
}

TEST(Threshold, CocktailKeyGeneration) {
  PSEPHOS_LOAD_VECTORS(vectors, "threshold_ristretto255.json", "cocktail");
  for (const Field& item : vectors.array()) {
    const std::uint64_t n = item["n"].u64();
    const std::uint64_t t = item["t"].u64();
    SCOPED_TRACE(std::to_string(t) + " of " + std::to_string(n));
    item.ignore("extension", "tells two sets of values apart, nothing to compute");

    std::vector<std::vector<Point>> commitments;
    for (const Field& list : item["vss_commitments"].array()) {
      commitments.push_back(points(list));
      ASSERT_EQ(commitments.back().size(), t);
    }
    ASSERT_EQ(commitments.size(), n);
    const std::vector<Field> pops = item["pops"].array();
    ASSERT_EQ(pops.size(), n);
    Point joint_key;
    for (std::size_t i = 0; i < n; ++i) {
      const Point& key = commitments[i][0];
      joint_key = joint_key + key;
      const Bytes pop = pops[i]["pop"].hex();
      ASSERT_EQ(pop.size(), 64U);
      const Scalar challenge = Scalar::reduce(sha512({pops[i]["challenge_input"].hex()}));
      EXPECT_EQ(challenge, scalar(pops[i]["challenge"].hex()));
      EXPECT_TRUE(evaluator.holds(schnorr(pop, challenge, key))) << i;
      EXPECT_FALSE(evaluator.holds(schnorr(pop, challenge, key + Point::base()))) << i;
    }
    EXPECT_EQ(joint_key, point(item["group_public_key"].hex()));

    std::vector<std::uint32_t> indices;
    std::vector<Scalar> shares;
    for (std::uint32_t j = 1; j <= n; ++j) {
      const Scalar share = scalar(item["secret_shares"][std::to_string(j)].hex());
      Point public_share;
      for (const auto& list : commitments) {
        public_share = public_share + evaluate_commitments(list, j);
      }
      EXPECT_EQ(share * Point::base(), public_share) << j;
      EXPECT_EQ(point(item["verification_shares"][std::to_string(j)].hex()), public_share) << j;
      indices.push_back(j);
      shares.push_back(share);
    }
    // The last t shares make the joint secret.
    const auto last = std::span(indices).last(t);
    const std::vector<Scalar> lambda = lagrange_at_zero(last).value();
    Scalar joint_secret;
    for (std::size_t i = 0; i < t; ++i) {
      joint_secret = joint_secret + lambda[i] * shares[last[i] - 1];
    }
    EXPECT_EQ(joint_secret * Point::base(), joint_key);
  }
}

TEST(Threshold, EverySectionOfTheVectorsIsLookedAt) {
  PSEPHOS_LOAD_VECTORS(vectors, "threshold_ristretto255.json");
  vectors.ignore("lagrange", "lagrange_test");
  for (const char* section : {"frost", "big_identifiers", "zcash_dkg", "cocktail"}) {
    vectors.ignore(section, "above");
  }
}

}  // namespace
}  // namespace psephos::crypto
