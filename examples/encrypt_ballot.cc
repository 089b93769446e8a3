// Encrypts one ballot, proves it well formed, and checks the proof as a stranger would: from bytes.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>

#include "psephos/crypto/ballot_proof.h"
#include "psephos/crypto/ballot_prover.h"

namespace {

using namespace psephos;

Result<bool> run() {
  SystemRandom random;

  // One contest: choose exactly one of three.
  const std::vector<crypto::ContestRule> contests = {
      {.options = 3, .range = 1, .min = 1, .max = 1}};
  PSEPHOS_TRY(crypto::BallotForm form, crypto::BallotForm::compile(contests));

  // The election key. In an election no one ever holds its secret: trustees make it together
  // (protocol/trustee.h), and the context comes from the record (protocol/opening.h).
  const auto election_secret = crypto::SecretScalar::random(random);
  const crypto::Point joint_key = crypto::multiply_base(election_secret);
  const auto bases = std::make_shared<const crypto::Bases>(joint_key, form.num_bits());
  const crypto::BallotContext context{
      .election_id = {}, .style = 0, .form = std::move(form), .bases = bases};

  // The voter: a credential key, a vote for the second option.
  const auto sk = crypto::SecretScalar::random(random);
  const std::vector<std::uint32_t> vote = {0, 1, 0};
  PSEPHOS_TRY(const auto opening, crypto::encrypt(context, crypto::multiply_base(sk), 0,
                                                  crypto::SecretVotes(vote), random));
  PSEPHOS_TRY(const auto proof, crypto::prove(context, opening, sk, random));

  // What travels.
  Writer out;
  out.raw(crypto::encode_all(opening.ballot.ciphertexts));
  proof.encode(out);
  std::printf("ballot of %zu options: %zu bytes\n", context.form.num_options(), out.bytes().size());

  // What the receiver does: decode strictly, then check every equation.
  Reader in(out.bytes());
  crypto::EncryptedBallot received = opening.ballot;
  PSEPHOS_TRY(received.ciphertexts, crypto::decode_ciphertexts(in, context.form));
  PSEPHOS_TRY(const auto received_proof, crypto::BallotProof::decode(in, context.form));
  PSEPHOS_CHECK_OK(in.finish("ballot"));
  const crypto::IndividualEvaluator evaluator;
  const auto failing = crypto::failing_checks(context, received, received_proof, evaluator);
  std::printf("proof: %s\n", failing.empty() ? "valid" : "INVALID");
  return failing.empty();
}

}  // namespace

int main() {
  const auto valid = run();
  if (!valid.has_value()) {
    std::fprintf(stderr, "%s\n", valid.error().message.c_str());
    return 1;
  }
  return *valid ? 0 : 1;
}
