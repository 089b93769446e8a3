#include "psephos/protocol/authority.h"

#include <string>
#include <utility>

#include "psephos/crypto/lagrange.h"
#include "psephos/crypto/small_log.h"
#include "psephos/protocol/message_signer.h"

#include "protocol/log_signer.h"
#include "protocol/secret_io.h"

namespace psephos::protocol {

namespace {

using crypto::Ed25519PublicKey;
using crypto::Ed25519SecretKey;
using crypto::Point;

// What an opening needs and a main log lacks.
Result<void> check_ready(const MainLog& log) {
  const Manifest& manifest = log.manifest();
  if (log.phase() != MainLog::Phase::ceremony && log.phase() != MainLog::Phase::ready) {
    return fail(Errc::misuse, "opening: the main log is not between the roster and the opening");
  }
  if (log.phase() == MainLog::Phase::ceremony) {
    std::string list;
    for (const std::uint32_t trustee : log.ceremony()->missing()) {
      list += (list.empty() ? "" : ", ") + std::to_string(trustee);
    }
    return fail(Errc::misuse,
                "opening: the key ceremony is not complete; it waits for trustees " + list);
  }
  for (std::uint32_t r = 0; r < manifest.num_registrars(); ++r) {
    for (std::uint32_t s = 0; s < manifest.num_styles(); ++s) {
      if (!log.has_credential_key(r, s)) {
        return fail(Errc::misuse, "opening: the credential key of registrar " + std::to_string(r) +
                                      " for style " + std::to_string(s) + " is missing");
      }
    }
  }
  return {};
}

// β_o − Σ_j λ_j·D_{j,o} = v_o·G for every option o.
Result<TallyResult> decrypt_result(const Manifest& manifest, const Tally& tally,
                                   std::uint32_t number,
                                   std::span<const MainLog::Sent> decryptions) {
  std::vector<std::uint32_t> trustees;
  for (const MainLog::Sent& sent : decryptions) {
    trustees.push_back(sent.trustee);
  }
  PSEPHOS_TRY(const std::vector<crypto::Scalar> lambda, crypto::lagrange_at_zero(trustees));
  const std::uint64_t bound =
      tally.counted * std::uint64_t{manifest.contests[tally.contest].rule.range};
  PSEPHOS_TRY(const crypto::SmallLog logarithms,
              crypto::SmallLog::prepare(bound, tally.sums.size()));
  TallyResult result{.tally = number, .totals = {}};
  for (std::size_t o = 0; o < tally.sums.size(); ++o) {
    Point total = tally.sums[o].beta;
    for (std::size_t j = 0; j < decryptions.size(); ++j) {
      total = total - lambda[j] * decryptions[j].decryption.shares[o];
    }
    const auto votes = logarithms.find_vartime(total);
    if (!votes.has_value()) {
      return within("tally " + std::to_string(number) + ": option " + std::to_string(o + 1),
                    votes.error());
    }
    result.totals.push_back(*votes);
  }
  return result;
}

}  // namespace

Authority Authority::create(Random& random) {
  return {Ed25519SecretKey::random(random), Ed25519SecretKey::random(random)};
}

Result<Authority> Authority::load(const SecretBuffer& content) {
  SecretReader in(content);
  PSEPHOS_TRY(const SecretBytes<32> seed, in.secret<32>("authority key"));
  PSEPHOS_TRY(const SecretBytes<32> main_log_seed, in.secret<32>("main log key"));
  PSEPHOS_CHECK_OK(in.finish("authority file"));
  return Authority(Ed25519SecretKey::from_seed(seed), Ed25519SecretKey::from_seed(main_log_seed));
}

SecretBuffer Authority::save() const {
  SecretWriter out;
  out.raw(key_.expose_secret_seed()).raw(main_log_key_.expose_secret_seed());
  return std::move(out).take();
}

Result<std::shared_ptr<const crypto::NoteSigner>> Authority::main_log_signer(
    const Manifest& manifest) const {
  return make_log_signer(manifest.log_origin(Manifest::main_log()), main_log_key_);
}

Message Authority::roster(const Manifest& manifest, std::vector<TrusteeKeys> trustees) const {
  const Roster roster{.authority = key_.public_key(),
                      .main_log = main_log_key_.public_key(),
                      .trustees = std::move(trustees)};
  return sign_message(MessageType::roster, manifest.digest, 0, roster.encode(), key_);
}

Result<Message> Authority::opening(const MainLog& log, std::vector<Ed25519PublicKey> registrar_logs,
                                   std::vector<Ed25519PublicKey> box_logs) const {
  PSEPHOS_CHECK_OK(check_ready(log));
  const Manifest& manifest = log.manifest();
  if (log.roster()->authority != key_.public_key()) {
    return fail(Errc::misuse, "opening: the roster is another authority's");
  }
  if (registrar_logs.size() != manifest.registrars.size()) {
    return fail(Errc::misuse, "opening: log keys of " + std::to_string(registrar_logs.size()) +
                                  " registrars, needs " +
                                  std::to_string(manifest.registrars.size()));
  }
  if (box_logs.size() != manifest.shards) {
    return fail(Errc::misuse, "opening: log keys of " + std::to_string(box_logs.size()) +
                                  " shards, needs " + std::to_string(manifest.shards));
  }
  Opening opening{.roster = *log.roster(),
                  .joint_key = log.ceremony()->joint_key(),
                  .commitments = log.ceremony()->commitments(),
                  .registrars = {},
                  .box_logs = std::move(box_logs)};
  const std::vector<std::vector<crypto::RsaPublicKey>> keys = log.credential_keys();
  for (std::size_t r = 0; r < registrar_logs.size(); ++r) {
    opening.registrars.push_back(
        {.log = registrar_logs[r], .moduli_digest = moduli_digest(keys[r])});
  }
  return sign_message(MessageType::opening, manifest.digest, 0, opening.encode(), key_);
}

Message Authority::open(const Election& election) const {
  return sign_message(MessageType::open, election.id(), 0, {}, key_);
}

Message Authority::close(const Election& election, const Close& close) const {
  return sign_message(MessageType::close, election.id(), 0, close.encode(), key_);
}

std::vector<Message> Authority::tallies(const AuditedBallots& audited) const {
  const Election& election = audited.election();
  std::vector<Message> messages;
  for (const Tally& tally : expected_tallies(election.manifest(), audited.aggregate())) {
    messages.push_back(sign_message(MessageType::tally, election.id(), 0, tally.encode(), key_));
  }
  return messages;
}

Result<std::vector<Message>> Authority::results(const MainLog& log) const {
  const std::uint32_t threshold = log.manifest().threshold;
  std::vector<Message> messages;
  for (std::uint32_t k = 0; k < log.tallies().size(); ++k) {
    const std::vector<MainLog::Sent>& sent = log.decryptions()[k];
    if (sent.size() < threshold) {
      return fail(Errc::misuse, "tally " + std::to_string(k) + ": has " +
                                    std::to_string(sent.size()) + " decryptions, needs " +
                                    std::to_string(threshold));
    }
    PSEPHOS_TRY(const TallyResult result, decrypt_result(log.manifest(), log.tallies()[k], k,
                                                         std::span(sent).first(threshold)));
    messages.push_back(
        sign_message(MessageType::result, log.election()->id(), 0, result.encode(), key_));
  }
  return messages;
}

}  // namespace psephos::protocol
