#include "psephos/protocol/main_log.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "psephos/crypto/lagrange.h"

namespace psephos::protocol {

namespace {

using crypto::LinearRelation;
using crypto::Scalar;
using Phase = MainLog::Phase;

std::unexpected<Fault> refuse(Check check, std::string message, std::string equation = {}) {
  return std::unexpected(Fault{check, /*place=*/"", std::move(message), std::move(equation)});
}

std::string words(Phase phase) {
  switch (phase) {
    case Phase::empty:
      return "has no roster yet";
    case Phase::ceremony:
      return "is in the key ceremony";
    case Phase::ready:
      return "awaits the opening";
    case Phase::failed:
      return "was ended by a complaint";
    case Phase::opened:
      return "awaits the message that opens the polls";
    case Phase::voting:
      return "awaits the close of the polls";
    case Phase::closed:
      return "awaits tallies";
    case Phase::tallied:
      return "awaits tallies or decryptions";
    case Phase::decrypting:
      return "awaits decryptions or results";
    case Phase::resulting:
      return "awaits results";
    case Phase::complete:
      return "is complete";
  }
  return "unknown";
}

// check_order lets a message stand in the given phases only.
std::expected<void, Fault> check_order(MessageType type, Phase phase,
                                       std::initializer_list<Phase> allowed) {
  if (std::ranges::find(allowed, phase) == allowed.end()) {
    return refuse(Check::order,
                  std::string(name(type)) + ": out of order; the election " + words(phase));
  }
  return {};
}

Result<std::vector<crypto::TreeHead>> decode_trees(Reader& in, std::size_t count,
                                                   std::string_view logs) {
  std::vector<crypto::TreeHead> trees;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string place = std::string(logs) + std::to_string(i) + ": ";
    crypto::TreeHead tree;
    PSEPHOS_TRY(tree.size, in.u64(place + "size"));
    PSEPHOS_TRY(tree.root, in.digest(place + "root"));
    trees.push_back(tree);
  }
  return trees;
}

// What the authority says carries sender 0 and the authority's signature.
std::expected<void, Fault> check_authority(const Message& message,
                                           const crypto::Ed25519PublicKey& authority) {
  if (message.sender != 0) {
    return refuse(Check::order, std::string(name(message.type)) + ": the sender is " +
                                    std::to_string(message.sender) + ", must be 0");
  }
  if (const auto good = message.verify(authority); !good.has_value()) {
    return refuse(Check::order, std::string(name(message.type)) + ": " + good.error().message,
                  "signature");
  }
  return {};
}

std::string key_name(std::size_t registrar, std::size_t style) {
  return "credential key of registrar " + std::to_string(registrar) + " for style " +
         std::to_string(style);
}

// β_o − Σ_j λ_j·D_{j,o} − v_o·G = 0 for every option o, with the first t decryptions.
std::vector<LinearRelation> result_relations(const Tally& tally, const TallyResult& result,
                                             std::span<const MainLog::Sent> decryptions) {
  std::vector<std::uint32_t> trustees;
  for (const MainLog::Sent& sent : decryptions) {
    trustees.push_back(sent.trustee);
  }
  const auto lambda = crypto::lagrange_at_zero(trustees);
  PSEPHOS_CHECK(lambda.has_value());
  std::vector<LinearRelation> relations(tally.sums.size());
  for (std::size_t o = 0; o < tally.sums.size(); ++o) {
    relations[o].own.push_back({Scalar::one(), tally.sums[o].beta});
    for (std::size_t j = 0; j < decryptions.size(); ++j) {
      relations[o].own.push_back({-(*lambda)[j], decryptions[j].decryption.shares[o]});
    }
    relations[o].own.push_back({-Scalar::from_u64(result.totals[o]), crypto::Point::base()});
  }
  return relations;
}

}  // namespace

Result<Close> Close::decode(ByteView payload, const Manifest& manifest) {
  Reader in(payload);
  Close close;
  PSEPHOS_TRY(close.boxes, decode_trees(in, manifest.shards, "box/"));
  PSEPHOS_TRY(close.rolls, decode_trees(in, manifest.registrars.size(), "roll/"));
  PSEPHOS_CHECK_OK(in.finish("close"));
  return close;
}

Bytes Close::encode() const {
  Writer out;
  for (const auto* trees : {&boxes, &rolls}) {
    for (const crypto::TreeHead& tree : *trees) {
      out.u64(tree.size).raw(tree.root);
    }
  }
  return std::move(out).take();
}

Result<CredentialKey> CredentialKey::decode(ByteView payload, const Manifest& manifest) {
  Reader in(payload);
  CredentialKey result;
  PSEPHOS_TRY(result.style, in.u32("style"));
  if (result.style >= manifest.num_styles()) {
    return fail(Errc::malformed, "there is no style " + std::to_string(result.style));
  }
  PSEPHOS_TRY(const ByteView modulus, in.raw(manifest.signature_bytes(), "modulus"));
  PSEPHOS_CHECK_OK(in.finish("credential key"));
  PSEPHOS_TRY(result.key, crypto::RsaPublicKey::from_modulus(modulus));
  return result;
}

Bytes CredentialKey::encode() const {
  Writer out;
  out.u32(style).raw(key.modulus());
  return std::move(out).take();
}

MainLog::MainLog(std::shared_ptr<const Manifest> manifest, const crypto::Evaluator& evaluator)
    : manifest_(std::move(manifest)),
      evaluator_(&evaluator),
      credential_keys_(manifest_->registrars.size(),
                       std::vector<std::optional<Message>>(manifest_->styles.size())),
      roll_imports_(manifest_->registrars.size()) {}

std::expected<void, Fault> MainLog::append(const Message& message) {
  const std::string type(name(message.type));
  if (is_of_ceremony(message.type)) {
    // The ceremony looks at the context itself.
  } else if (message.type <= MessageType::opening) {
    if (message.context != manifest_->digest) {
      return refuse(Check::record, type + ": the context is not the manifest's digest");
    }
  } else if (election_ != nullptr && message.context != election_->id()) {
    return refuse(Check::record, type + ": the context is not the election id");
  }
  switch (message.type) {
    case MessageType::roster:
      return append_roster(message);
    case MessageType::commit:
    case MessageType::reveal:
    case MessageType::shares:
    case MessageType::confirm:
    case MessageType::complaint:
      return append_ceremony(message);
    case MessageType::credential_key:
      return append_credential_key(message);
    case MessageType::opening:
      return append_opening(message);
    case MessageType::open:
      return append_open(message);
    case MessageType::close:
      return append_close(message);
    case MessageType::tally:
      return append_tally(message);
    case MessageType::decryption:
      return append_decryption(message);
    case MessageType::result:
      return append_result(message);
    case MessageType::roll:
      return append_roll(message);
  }
  return refuse(Check::order, "message of unknown type");
}

std::expected<void, Fault> MainLog::append_roster(const Message& message) {
  PSEPHOS_CHECK_OK(check_order(message.type, phase_, {Phase::empty}));
  auto roster = Roster::decode(message.payload, *manifest_);
  if (!roster.has_value()) {
    return refuse(Check::trustees, "roster: " + roster.error().message);
  }
  PSEPHOS_CHECK_OK(check_authority(message, roster->authority));
  ceremony_.emplace(manifest_, *roster);
  roster_ = *std::move(roster);
  phase_ = Phase::ceremony;
  return {};
}

std::expected<void, Fault> MainLog::append_ceremony(const Message& message) {
  // Ceremony itself names its round; after the opening it has none.
  PSEPHOS_CHECK_OK(
      check_order(message.type, phase_, {Phase::ceremony, Phase::ready, Phase::failed}));
  PSEPHOS_CHECK_OK(ceremony_->append(message, *evaluator_));
  if (ceremony_->round() == Ceremony::Round::complete) {
    phase_ = Phase::ready;
  } else if (ceremony_->round() == Ceremony::Round::failed) {
    phase_ = Phase::failed;
  }
  return {};
}

std::expected<void, Fault> MainLog::append_credential_key(const Message& message) {
  PSEPHOS_CHECK_OK(check_order(message.type, phase_, {Phase::ceremony, Phase::ready}));
  if (message.sender >= manifest_->num_registrars()) {
    return refuse(Check::registrars,
                  "credential key: there is no registrar " + std::to_string(message.sender));
  }
  auto key = CredentialKey::decode(message.payload, *manifest_);
  if (!key.has_value()) {
    return refuse(Check::registrars, "credential key of registrar " +
                                         std::to_string(message.sender) + ": " +
                                         key.error().message);
  }
  if (has_credential_key(message.sender, key->style)) {
    return refuse(Check::registrars, key_name(message.sender, key->style) + ": is there already");
  }
  if (!moduli_.insert(key->key.modulus()).second) {
    return refuse(Check::registrars, key_name(message.sender, key->style) +
                                         ": another credential key has the same modulus");
  }
  credential_keys_[message.sender][key->style] = message;
  return {};
}

std::expected<void, Fault> MainLog::append_opening(const Message& message) {
  PSEPHOS_CHECK_OK(check_order(message.type, phase_, {Phase::ready}));
  const auto opening = Opening::decode(message.payload, *manifest_);
  if (!opening.has_value()) {
    return refuse(Check::record, "opening: " + opening.error().message);
  }
  PSEPHOS_CHECK_OK(check_authority(message, roster_->authority));
  if (opening->roster != *roster_) {
    return refuse(Check::trustees, "opening: its keys are not the roster's");
  }
  if (opening->commitments != ceremony_->commitments()) {
    return refuse(Check::trustees, "opening: its commitments are not those revealed");
  }
  if (opening->joint_key != ceremony_->joint_key()) {
    return refuse(Check::trustees, "opening: the joint key is not the sum of the commitments",
                  "K = sum of F_i,0");
  }
  PSEPHOS_CHECK_OK(check_credential_keys(*opening));
  auto election = Election::create(manifest_, message.payload, credential_keys());
  if (!election.has_value()) {
    return refuse(Check::registrars, "opening: " + election.error().message);
  }
  election_ = *std::move(election);
  phase_ = Phase::opened;
  return {};
}

std::expected<void, Fault> MainLog::append_open(const Message& message) {
  PSEPHOS_CHECK_OK(check_order(message.type, phase_, {Phase::opened}));
  PSEPHOS_CHECK_OK(check_authority(message, roster_->authority));
  if (!message.payload.empty()) {
    return refuse(Check::order, "open: must have no payload");
  }
  phase_ = Phase::voting;
  return {};
}

std::expected<void, Fault> MainLog::append_close(const Message& message) {
  PSEPHOS_CHECK_OK(check_order(message.type, phase_, {Phase::voting}));
  PSEPHOS_CHECK_OK(check_authority(message, roster_->authority));
  auto close = Close::decode(message.payload, *manifest_);
  if (!close.has_value()) {
    return refuse(Check::order, "close: " + close.error().message);
  }
  close_ = *std::move(close);
  phase_ = Phase::closed;
  return {};
}

std::expected<void, Fault> MainLog::append_tally(const Message& message) {
  PSEPHOS_CHECK_OK(check_order(message.type, phase_, {Phase::closed, Phase::tallied}));
  PSEPHOS_CHECK_OK(check_authority(message, roster_->authority));
  const std::string place = "tally " + std::to_string(tallies_.size()) + ": ";
  auto tally = Tally::decode(message.payload, *manifest_);
  if (!tally.has_value()) {
    return refuse(Check::aggregate, place + tally.error().message);
  }
  const bool goes_on = !tallies_.empty() && tally->contest == tallies_.back().contest;
  const bool is_in_order =
      goes_on ? tally->unit == tallies_.back().unit + 1
              : tally->unit == 0 && (tallies_.empty() || tally->contest > tallies_.back().contest);
  if (!is_in_order) {
    return refuse(Check::aggregate, place + "contest " + std::to_string(tally->contest) +
                                        ", unit " + std::to_string(tally->unit) +
                                        " is out of sequence");
  }
  tallies_.push_back(*std::move(tally));
  decryptions_.emplace_back();
  phase_ = Phase::tallied;
  return {};
}

std::expected<void, Fault> MainLog::append_decryption(const Message& message) {
  PSEPHOS_CHECK_OK(check_order(message.type, phase_, {Phase::tallied, Phase::decrypting}));
  if (message.sender < 1 || message.sender > manifest_->num_trustees()) {
    return refuse(Check::decryption,
                  "decryption: there is no trustee " + std::to_string(message.sender));
  }
  const std::string of_trustee = " of trustee " + std::to_string(message.sender) + ": ";
  if (const auto good = message.verify(roster_->trustees[message.sender - 1].identity);
      !good.has_value()) {
    return refuse(Check::decryption, "decryption" + of_trustee + good.error().message, "signature");
  }
  auto decryption = Decryption::decode(message.payload, tallies_);
  if (!decryption.has_value()) {
    return refuse(Check::decryption, "decryption" + of_trustee + decryption.error().message);
  }
  const std::string place = "decryption of tally " + std::to_string(decryption->tally) + of_trustee;
  std::vector<Sent>& sent = decryptions_[decryption->tally];
  if (std::ranges::find(sent, message.sender, &Sent::trustee) != sent.end()) {
    return refuse(Check::decryption, place + "is there already");
  }
  const auto proved = crypto::verify(
      decryption_statement(tallies_[decryption->tally], election_->public_share(message.sender),
                           decryption->shares),
      decryption->proof, decryption_transcript(election_->id(), message.sender, decryption->tally),
      *evaluator_);
  if (!proved.has_value()) {
    return refuse(Check::decryption, place + proved.error().message, "proof of decryption");
  }
  sent.push_back({message.sender, *std::move(decryption)});
  phase_ = Phase::decrypting;
  return {};
}

std::expected<void, Fault> MainLog::append_result(const Message& message) {
  PSEPHOS_CHECK_OK(
      check_order(message.type, phase_, {Phase::tallied, Phase::decrypting, Phase::resulting}));
  PSEPHOS_CHECK_OK(check_authority(message, roster_->authority));
  const std::size_t number = results_.size();
  const std::string place = "result of tally " + std::to_string(number) + ": ";
  const std::vector<Sent>& sent = decryptions_[number];
  if (sent.size() < manifest_->threshold) {
    return refuse(Check::decryption, place + "has " + std::to_string(sent.size()) +
                                         " decryptions, needs " +
                                         std::to_string(manifest_->threshold));
  }
  auto result = TallyResult::decode(message.payload, tallies_);
  if (!result.has_value()) {
    return refuse(Check::result, place + result.error().message);
  }
  if (result->tally != number) {
    return refuse(Check::result,
                  place + "out of sequence; it is of tally " + std::to_string(result->tally));
  }
  const Tally& tally = tallies_[number];
  // No product overflows: counted ≤ voters and voters·range < 2^44.
  const std::uint64_t bound =
      tally.counted * std::uint64_t{manifest_->contests[tally.contest].rule.range};
  for (std::size_t o = 0; o < result->totals.size(); ++o) {
    if (result->totals[o] > bound) {
      return refuse(Check::result, place + "option " + std::to_string(o + 1) +
                                       " has more votes than its ballots can give");
    }
  }
  const std::vector<std::size_t> failing = evaluator_->failing(
      {}, result_relations(tally, *result, std::span(sent).first(manifest_->threshold)));
  if (!failing.empty()) {
    return refuse(Check::result,
                  place + "option " + std::to_string(failing.front() + 1) +
                      " is not what the decryptions give",
                  "beta - sum of lambda_j*D_j = v*G");
  }
  results_.push_back(*std::move(result));
  phase_ = results_.size() == tallies_.size() ? Phase::complete : Phase::resulting;
  return {};
}

std::expected<void, Fault> MainLog::append_roll(const Message& message) {
  PSEPHOS_CHECK_OK(check_order(message.type, phase_, {Phase::opened, Phase::voting}));
  if (message.sender >= manifest_->num_registrars()) {
    return refuse(Check::order, "roll: there is no registrar " + std::to_string(message.sender));
  }
  const std::string place = "roll of registrar " + std::to_string(message.sender) + ": ";
  if (const auto good = message.verify(election_->opening().registrars[message.sender].log);
      !good.has_value()) {
    return refuse(Check::order, place + good.error().message, "signature");
  }
  auto import = RollImport::decode(message.payload, *manifest_);
  if (!import.has_value()) {
    return refuse(Check::order, place + import.error().message);
  }
  std::vector<RollImport>& before = roll_imports_[message.sender];
  if (import->number != before.size()) {
    return refuse(Check::order, place + "import " + std::to_string(import->number) +
                                    " is out of sequence; " + std::to_string(before.size()) +
                                    " is next");
  }
  before.push_back(*std::move(import));
  return {};
}

std::optional<std::uint64_t> MainLog::announced(std::uint32_t registrar,
                                                std::uint32_t style) const {
  const std::vector<RollImport>& imports = roll_imports_[registrar];
  if (imports.empty()) {
    return std::nullopt;
  }
  std::uint64_t voters = 0;  // no overflow: each import is at most `voters`, and few fit a log
  for (const RollImport& import : imports) {
    voters += import.voters[style];
  }
  return voters;
}

std::expected<void, Fault> MainLog::check_credential_keys(const Opening& opening) const {
  for (std::size_t r = 0; r < credential_keys_.size(); ++r) {
    for (std::size_t s = 0; s < credential_keys_[r].size(); ++s) {
      const std::optional<Message>& message = credential_keys_[r][s];
      if (!message.has_value()) {
        return refuse(Check::registrars, key_name(r, s) + ": is missing");
      }
      if (const auto good = message->verify(opening.registrars[r].log); !good.has_value()) {
        return refuse(Check::registrars, key_name(r, s) + ": " + good.error().message, "signature");
      }
    }
  }
  return {};
}

bool MainLog::has_credential_key(std::uint32_t registrar, std::uint32_t style) const {
  return registrar < credential_keys_.size() && style < credential_keys_[registrar].size() &&
         credential_keys_[registrar][style].has_value();
}

std::vector<std::vector<crypto::RsaPublicKey>> MainLog::credential_keys() const {
  std::vector<std::vector<crypto::RsaPublicKey>> keys(credential_keys_.size());
  for (std::size_t r = 0; r < credential_keys_.size(); ++r) {
    for (const std::optional<Message>& message : credential_keys_[r]) {
      if (message.has_value()) {
        auto key = CredentialKey::decode(message->payload, *manifest_);
        PSEPHOS_CHECK(key.has_value());
        keys[r].push_back(std::move(key->key));
      }
    }
  }
  return keys;
}

}  // namespace psephos::protocol
