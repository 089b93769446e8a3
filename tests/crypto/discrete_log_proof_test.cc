#include "psephos/crypto/discrete_log_proof.h"

#include <gtest/gtest.h>

#include "psephos/crypto/discrete_log_prover.h"

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"

namespace psephos::crypto {
namespace {

const IndividualEvaluator evaluator;

struct Case {
  SecretScalar secret;
  DiscreteLogStatement statement;
  DiscreteLogProof proof;
};

Transcript context(std::string_view text) {
  Transcript transcript("test");
  transcript.absorb("context", as_bytes(text));
  return transcript;
}

Case make_case(std::size_t n, Random& random) {
  Case c{.secret = SecretScalar::random(random), .statement = {}, .proof = {}};
  for (std::size_t i = 0; i < n; ++i) {
    c.statement.bases.push_back(i == 0 ? Point::base() : random_point(random));
    c.statement.points.push_back(multiply(c.secret, c.statement.bases.back()));
  }
  c.proof = prove(c.statement, c.secret, context("here"), random);
  return c;
}

bool accepted(const DiscreteLogStatement& statement, const DiscreteLogProof& proof,
              std::string_view text = "here") {
  const auto result = verify(statement, proof, context(text), evaluator);
  if (!result.has_value()) {
    EXPECT_EQ(result.error().code, Errc::rejected);
  }
  return result.has_value();
}

TEST(DiscreteLogProof, HonestProofsAreAccepted) {
  test::SeededRandom random;
  for (const std::size_t n : {1U, 2U, 3U}) {
    const Case c = make_case(n, random);
    EXPECT_TRUE(accepted(c.statement, c.proof)) << n;
    const Bytes bytes = encoded(c.proof);
    EXPECT_EQ(bytes.size(), DiscreteLogProof::encoded_size(n));
    Reader in(bytes);
    const auto decoded = DiscreteLogProof::decode(in, n);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(in.remaining(), 0U);
    EXPECT_EQ(encoded(*decoded), bytes);
    EXPECT_TRUE(accepted(c.statement, *decoded)) << n;
  }
}

TEST(DiscreteLogProof, FollowsItsTranscript) {
  // The same equations stated again, with the transcript written out.
  test::SeededRandom random;
  const Case c = make_case(2, random);
  const auto joined = [](const std::vector<Point>& points) {
    Bytes bytes;
    for (const Point& p : points) {
      bytes.insert(bytes.end(), p.bytes().begin(), p.bytes().end());
    }
    return bytes;
  };
  Transcript transcript = context("here");
  transcript.absorb("bases", joined(c.statement.bases));
  transcript.absorb("points", joined(c.statement.points));
  transcript.absorb("commitments", joined(c.proof.commitments));
  const Scalar challenge = transcript.challenge("c");
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(c.proof.response * c.statement.bases[i],
              c.proof.commitments[i] + challenge * c.statement.points[i]);
  }
}

TEST(DiscreteLogProof, AnyChangedBitIsRejected) {
  test::SeededRandom random;
  const Case c = make_case(2, random);
  const Bytes good = encoded(c.proof);
  for (std::size_t bit = random.below(8); bit < 8 * good.size(); bit += 1 + random.below(12)) {
    Bytes bad = good;
    bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1U << (bit % 8)));
    Reader in(bad);
    const auto decoded = DiscreteLogProof::decode(in, 2);
    EXPECT_FALSE(decoded.has_value() && accepted(c.statement, *decoded)) << bit;
  }
}

TEST(DiscreteLogProof, OtherContextsAndStatementsAreRejected) {
  test::SeededRandom random;
  const Case c = make_case(2, random);
  EXPECT_FALSE(accepted(c.statement, c.proof, "there"));
  EXPECT_FALSE(accepted(c.statement, c.proof, ""));
  for (std::size_t i = 0; i < 2; ++i) {
    Case other = make_case(2, random);
    other.statement = c.statement;
    other.statement.points[i] = other.statement.points[i] + Point::base();
    EXPECT_FALSE(accepted(other.statement, c.proof));
    other.statement = c.statement;
    other.statement.bases[i] = other.statement.bases[i] + Point::base();
    EXPECT_FALSE(accepted(other.statement, c.proof));
  }
  DiscreteLogStatement swapped = c.statement;
  std::swap(swapped.bases[0], swapped.bases[1]);
  std::swap(swapped.points[0], swapped.points[1]);
  EXPECT_FALSE(accepted(swapped, c.proof));
}

TEST(DiscreteLogProof, UnequalLogarithmsCannotBeProved) {
  test::SeededRandom random;
  const SecretScalar s = SecretScalar::random(random);
  DiscreteLogStatement statement;
  statement.bases = {Point::base(), generator(1)};
  statement.points = {multiply(s, statement.bases[0]),
                      multiply(s + SecretScalar::from_u64(1), statement.bases[1])};
  const DiscreteLogProof proof = prove(statement, s, context("here"), random);
  const auto result = verify(statement, proof, context("here"), evaluator);
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().message.find("equation 2"), std::string::npos);
}

TEST(DiscreteLogProof, ShapesThatDifferAreRejected) {
  test::SeededRandom random;
  const Case c = make_case(2, random);
  EXPECT_FALSE(accepted({}, {}));
  EXPECT_FALSE(accepted({}, c.proof));
  DiscreteLogProof shorter = c.proof;
  shorter.commitments.pop_back();
  EXPECT_FALSE(accepted(c.statement, shorter));
  DiscreteLogStatement fewer = c.statement;
  fewer.points.pop_back();
  EXPECT_FALSE(accepted(fewer, c.proof));
  fewer.bases.pop_back();
  EXPECT_FALSE(accepted(fewer, c.proof));
  const Case one = make_case(1, random);
  EXPECT_FALSE(accepted(c.statement, one.proof));
}

TEST(DiscreteLogProof, ResponseOfAnotherProofDoesNotFit) {
  test::SeededRandom random;
  const Case c = make_case(1, random);
  DiscreteLogProof mixed = c.proof;
  mixed.response = prove(c.statement, c.secret, context("here"), random).response;
  EXPECT_FALSE(accepted(c.statement, mixed));
}

TEST(DiscreteLogProof, TruncatedOrAbsurdlyLongIsMalformed) {
  test::SeededRandom random;
  const Bytes good = encoded(make_case(1, random).proof);
  for (const std::size_t size : {0U, 31U, 32U, 63U}) {
    Reader in(ByteView(good).first(size));
    EXPECT_FALSE(DiscreteLogProof::decode(in, 1).has_value()) << size;
  }
  Reader in(good);
  EXPECT_FALSE(DiscreteLogProof::decode(in, SIZE_MAX / 32).has_value());
}

TEST(DiscreteLogProof, NoncesDependOnTheContext) {
  // One and the same randomness, as after a fork: a repeated commitment would give the secret away.
  test::SeededRandom random;
  const Case c = make_case(1, random);
  test::SeededRandom a(1);
  test::SeededRandom b(1);
  const DiscreteLogProof first = prove(c.statement, c.secret, context("one"), a);
  const DiscreteLogProof second = prove(c.statement, c.secret, context("two"), b);
  EXPECT_NE(first.commitments[0], second.commitments[0]);
}

}  // namespace
}  // namespace psephos::crypto
