#include "psephos/crypto/ballot_proof.h"

#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "tests/crypto/ballot_vectors.h"
#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;
using Names = std::vector<std::string>;

const IndividualEvaluator evaluator;

Names judge_vector(const VectorForms& forms, const Field& item) {
  const Bytes credential = item["credential"].hex();
  const Bytes ciphertexts = item["ciphertexts"].hex();
  const Bytes proof = item["proof"].hex();
  const std::uint32_t number = sequence(item);
  const auto context = forms.context(item);
  if (!context.has_value()) {
    return {"decode"};
  }
  return judge(*context, credential, number, ciphertexts, proof);
}

Names names(const Field& list) {
  Names out;
  for (const Field& item : list.array()) {
    out.push_back(item.str());
  }
  return out;
}

TEST(BallotProof, PsephosInvalid) {
  PSEPHOS_LOAD_VECTORS(vectors, "psephos_ballot.json");
  for (const char* prose : {"format", "layout"}) {
    vectors.ignore(prose, "prose");
  }
  for (const char* section : {"valid", "cover", "contests_refused"}) {
    vectors.ignore(section, "ballot_prover_test, ballot_form_test");
  }
  vectors.ignore("batch", "below");
  const VectorForms forms(vectors.root());
  const std::vector<Field> invalid = vectors["invalid"].array();
  vectors["counts"].ignore("valid", "ballot_prover_test");
  vectors["counts"].ignore("batch", "below");
  EXPECT_EQ(invalid.size(), vectors["counts"]["invalid"].u64());
  for (const Field& item : invalid) {
    SCOPED_TRACE(item["name"].str() + ": " + item["reason"].str());
    item.ignore("category", "sorts the vectors");
    const Names failing = judge_vector(forms, item);
    EXPECT_EQ(failing, names(item["failing"]));
    ASSERT_FALSE(failing.empty());
    EXPECT_EQ(failing.front(), item["check"].str());
  }
}

// All equations of several ballots as one relation, each times its weight.
using Weight = std::function<Scalar(std::size_t ballot, std::size_t equation)>;
struct Stated {
  std::shared_ptr<const Bases> bases;
  BallotEquations equations;
};
bool sum_vanishes(std::span<const Stated> ballots, const Weight& weight) {
  LinearRelation sum;
  for (std::size_t i = 0; i < ballots.size(); ++i) {
    for (std::size_t e = 0; e < 5; ++e) {
      const Scalar w = weight(i, e);
      const LinearRelation& relation = ballots[i].equations.relations[e];
      for (const auto& [base, scalar] : relation.shared) {
        sum.own.push_back({w * scalar, ballots[i].bases->points()[base]});
      }
      for (const auto& [scalar, point] : relation.own) {
        sum.own.push_back({w * scalar, point});
      }
    }
  }
  return evaluator.holds(sum);
}

TEST(BallotProof, PsephosBatches) {
  PSEPHOS_LOAD_VECTORS(vectors, "psephos_ballot.json");
  for (const char* other : {"format", "layout", "valid", "cover", "contests_refused", "invalid"}) {
    vectors.ignore(other, "other tests");
  }
  vectors["counts"].ignore("valid", "ballot_prover_test");
  vectors["counts"].ignore("invalid", "above");
  const VectorForms forms(vectors.root());
  const std::vector<Field> batches = vectors["batch"].array();
  EXPECT_EQ(batches.size(), vectors["counts"]["batch"].u64());

  test::SeededRandom random;
  for (const Field& batch : batches) {
    SCOPED_TRACE(batch["name"].str() + ": " + batch["reason"].str());
    bool all_valid = true;
    std::vector<Stated> stated;
    for (const Field& item : batch["ballots"].array()) {
      const Names failing = judge_vector(forms, item);
      EXPECT_EQ(failing, names(item["failing"]));
      all_valid = all_valid && failing.empty();

      const BallotContext context = forms.context(item).value();
      const Bytes ciphertexts = item["ciphertexts"].hex();
      const Bytes proof = item["proof"].hex();
      Reader ciphertexts_in(ciphertexts);
      Reader proof_in(proof);
      const EncryptedBallot ballot{
          .credential = point(item["credential"].hex()),
          .sequence = sequence(item),
          .ciphertexts = decode_ciphertexts(ciphertexts_in, context.form).value()};
      const auto equations_of =
          equations(context, ballot, BallotProof::decode(proof_in, context.form).value());
      ASSERT_TRUE(equations_of.has_value());
      EXPECT_TRUE(equations_of->constraint_holds);
      stated.push_back({context.bases, *equations_of});
    }
    EXPECT_EQ(all_valid, batch["accept"].boolean());

    // Independent weights tell; the weightings named hide the errors. This pins down each
    // equation's sign and scale, which single verification does not see.
    std::vector<Scalar> per_ballot;
    std::vector<Scalar> per_equation;
    for (std::size_t i = 0; i < std::max<std::size_t>(5, stated.size()); ++i) {
      per_ballot.push_back(random_scalar(random));
      per_equation.push_back(random_scalar(random));
    }
    const Names fooled = names(batch["accepted_wrongly_with"]);
    const auto expect_verdict = [&](const char* weighting, const Weight& weight) {
      EXPECT_EQ(sum_vanishes(stated, weight),
                all_valid || std::ranges::find(fooled, weighting) != fooled.end())
          << weighting;
    };
    expect_verdict("independent", [&](std::size_t, std::size_t) { return random_scalar(random); });
    expect_verdict("equal", [](std::size_t, std::size_t) { return Scalar::one(); });
    expect_verdict("per ballot", [&](std::size_t i, std::size_t) { return per_ballot[i]; });
    expect_verdict("per equation", [&](std::size_t, std::size_t e) { return per_equation[e]; });
  }
}

// A ballot as it is sent.
struct Sent {
  Election election;
  Bytes credential;
  std::uint32_t sequence;
  Bytes ciphertexts;
  Bytes proof;
};

Sent make_sent(Random& random) {
  const ContestRule rule{.options = 2, .range = 1, .min = 0, .max = 1};
  Election election = make_election({&rule, 1}, random);
  const BallotOpening opening = random_ballot(election, random);
  const BallotProof proof = prove(election.context, opening, election.sk, random).value();
  return {.election = std::move(election),
          .credential = encoded(opening.ballot.credential),
          .sequence = opening.ballot.sequence,
          .ciphertexts = encode_all(opening.ballot.ciphertexts),
          .proof = encoded(proof)};
}

Names judge_sent(const Sent& sent) {
  return judge(sent.election.context, sent.credential, sent.sequence, sent.ciphertexts, sent.proof);
}

// Every stride-th bit of the bytes changed, one at a time: never valid.
void expect_bits_matter(Sent& sent, Bytes& bytes, std::size_t stride, Random& random) {
  for (std::size_t bit = random.below(stride); bit < 8 * bytes.size();
       bit += 1 + random.below(2 * stride)) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ mask);
    EXPECT_FALSE(judge_sent(sent).empty()) << "bit " << bit;
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ mask);
  }
}

TEST(BallotProof, AnyChangedBitIsRejected) {
  test::SeededRandom random;
  for (std::size_t i = 0; i < test::iterations(1); ++i) {
    Sent sent = make_sent(random);
    ASSERT_TRUE(judge_sent(sent).empty());
    expect_bits_matter(sent, sent.proof, 8, random);
    expect_bits_matter(sent, sent.ciphertexts, 8, random);
    expect_bits_matter(sent, sent.credential, 8, random);
    ASSERT_TRUE(judge_sent(sent).empty());
  }
}

TEST(BallotProof, OtherElectionStyleCredentialOrSequenceIsRejected) {
  test::SeededRandom random;
  Sent sent = make_sent(random);
  BallotContext& context = sent.election.context;
  for (std::size_t bit = 0; bit < 256; bit += 17) {
    std::uint8_t& byte = context.election_id[bit / 8];
    const std::uint8_t before = byte;
    byte = static_cast<std::uint8_t>(byte ^ (1U << (bit % 8)));
    EXPECT_FALSE(judge_sent(sent).empty()) << "election id, bit " << bit;
    byte = before;
  }
  for (unsigned bit = 0; bit < 32; bit += 5) {
    context.style ^= 1U << bit;
    EXPECT_FALSE(judge_sent(sent).empty()) << "style, bit " << bit;
    context.style ^= 1U << bit;
    sent.sequence ^= 1U << bit;
    EXPECT_FALSE(judge_sent(sent).empty()) << "sequence, bit " << bit;
    sent.sequence ^= 1U << bit;
  }
  const Bytes credential = sent.credential;
  sent.credential = encoded(sent.election.pk + Point::base());
  EXPECT_FALSE(judge_sent(sent).empty());
  sent.credential = encoded(random_point(random));
  EXPECT_FALSE(judge_sent(sent).empty());
  sent.credential = credential;
  const auto bases = context.bases;
  context.bases = std::make_shared<const Bases>(random_point(random), 3);
  EXPECT_EQ(judge_sent(sent), Names{"equation 4"});
  context.bases = bases;
  EXPECT_TRUE(judge_sent(sent).empty());
}

TEST(BallotProof, LengthsAreExact) {
  test::SeededRandom random;
  Sent sent = make_sent(random);
  const Names decode{"decode"};
  for (Bytes* bytes : {&sent.proof, &sent.ciphertexts}) {
    const Bytes good = *bytes;
    for (const std::size_t size : {std::size_t{0}, good.size() - 32, good.size() - 1}) {
      bytes->resize(size);
      EXPECT_EQ(judge_sent(sent), decode) << size;
      *bytes = good;
    }
    for (const std::size_t extra : {1U, 32U, 64U}) {
      bytes->resize(good.size() + extra);
      EXPECT_EQ(judge_sent(sent), decode) << extra;
      *bytes = good;
    }
  }
}

TEST(BallotProof, ProofOfAnotherFormDoesNotFit) {
  test::SeededRandom random;
  Sent sent = make_sent(random);
  // One option more: other lengths. Another rule over as many bits: other equations.
  const ContestRule longer{.options = 3, .range = 1, .min = 0, .max = 1};
  const ContestRule other{.options = 2, .range = 1, .min = 1, .max = 2};
  sent.election.context.form = BallotForm::compile({&longer, 1}).value();
  EXPECT_EQ(judge_sent(sent), Names{"decode"});
  sent.election.context.form = BallotForm::compile({&other, 1}).value();
  ASSERT_EQ(sent.election.context.form.num_bits(), 3U);
  EXPECT_FALSE(judge_sent(sent).empty());
}

TEST(BallotProof, ShapesAreCheckedWithoutADecoderToo) {
  test::SeededRandom random;
  const Sent sent = make_sent(random);
  const BallotContext& context = sent.election.context;
  Reader ciphertexts_in(sent.ciphertexts);
  Reader proof_in(sent.proof);
  const EncryptedBallot ballot{
      .credential = sent.election.pk,
      .sequence = sent.sequence,
      .ciphertexts = decode_ciphertexts(ciphertexts_in, context.form).value()};
  const BallotProof proof = BallotProof::decode(proof_in, context.form).value();
  ASSERT_TRUE(failing_checks(context, ballot, proof, evaluator).empty());

  const auto expect_refused = [](const BallotContext& c, const EncryptedBallot& b,
                                 const BallotProof& p) {
    EXPECT_EQ(failing_checks(c, b, p, evaluator), std::vector{BallotCheck::decode});
  };
  BallotContext no_bases = context;
  no_bases.bases = nullptr;
  expect_refused(no_bases, ballot, proof);
  BallotContext few_bases = context;
  few_bases.bases = std::make_shared<const Bases>(context.joint_key(), 2);
  expect_refused(few_bases, ballot, proof);
  BallotContext no_key = context;
  no_key.bases = std::make_shared<const Bases>(Point(), 3);
  expect_refused(no_key, ballot, proof);
  EncryptedBallot fewer = ballot;
  fewer.ciphertexts.pop_back();
  expect_refused(context, fewer, proof);
  EncryptedBallot nobody = ballot;
  nobody.credential = Point();
  expect_refused(context, nobody, proof);
  EncryptedBallot bare = ballot;
  bare.ciphertexts[1].alpha = Point();
  expect_refused(context, bare, proof);
  BallotProof short_proof = proof;
  short_proof.f.pop_back();
  expect_refused(context, ballot, short_proof);
  BallotProof no_nonce = proof;
  no_nonce.R = Point();
  expect_refused(context, ballot, no_nonce);
  BallotContext empty_form = context;
  empty_form.form = BallotForm();
  expect_refused(empty_form,
                 EncryptedBallot{.credential = ballot.credential, .sequence = 0, .ciphertexts = {}},
                 BallotProof{.B = {},
                             .A = {},
                             .C = {},
                             .D = {},
                             .E_alpha = {},
                             .E_beta = {},
                             .R = Point::base(),
                             .f = {},
                             .z_A = {},
                             .z_C = {},
                             .z_E = {},
                             .s = {}});
}

TEST(BallotProof, ChecksHaveNames) {
  EXPECT_EQ(name(BallotCheck::decode), "decode");
  EXPECT_EQ(name(BallotCheck::challenge), "challenge");
  EXPECT_EQ(name(BallotCheck::constraint), "constraint");
  EXPECT_EQ(name(BallotCheck::equation_1), "equation 1");
  EXPECT_EQ(name(BallotCheck::equation_5), "equation 5");
}

}  // namespace
}  // namespace psephos::crypto
