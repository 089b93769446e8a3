#include "psephos/protocol/ceremony.h"

#include <algorithm>
#include <string>
#include <utility>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/lagrange.h"

#include "protocol/labels.h"

namespace psephos::protocol {

namespace {

using crypto::DiscreteLogProof;
using crypto::Identity;
using crypto::Point;
using crypto::SealedShare;
using crypto::Transcript;
using Round = Ceremony::Round;

std::unexpected<Fault> refuse(Check check, std::string message, std::string equation = {}) {
  return std::unexpected(Fault{check, /*place=*/"", std::move(message), std::move(equation)});
}

std::string trustee(std::uint32_t number) { return "trustee " + std::to_string(number); }

std::string name_of(const Message& message) {
  return std::string(protocol::name(message.type)) + " of " + trustee(message.sender);
}

std::string_view name(Round round) {
  switch (round) {
    case Round::commit:
      return "is in its first round, commit";
    case Round::reveal:
      return "is in its second round, reveal";
    case Round::shares:
      return "is in its third round, shares";
    case Round::confirm:
      return "is in its fourth round, confirm";
    case Round::complete:
      return "is complete";
    case Round::failed:
      return "was ended by a complaint";
  }
  return "unknown";
}

// The round in which a message stands; failed for a message that is none of the ceremony's.
Round round_of(MessageType type) {
  switch (type) {
    case MessageType::commit:
      return Round::commit;
    case MessageType::reveal:
      return Round::reveal;
    case MessageType::shares:
      return Round::shares;
    case MessageType::confirm:
    case MessageType::complaint:
      return Round::confirm;
    default:
      return Round::failed;
  }
}

Bytes encode_points(std::span<const Point> points) {
  Writer out;
  for (const Point& point : points) {
    point.encode(out);
  }
  return std::move(out).take();
}

}  // namespace

Result<Reveal> Reveal::decode(ByteView payload, const Manifest& manifest) {
  Reader in(payload);
  Reveal reveal;
  for (std::uint32_t k = 0; k < manifest.threshold; ++k) {
    PSEPHOS_TRY(const Point commitment,
                Point::decode(in, k == 0 ? Identity::refused : Identity::accepted,
                              "commitment " + std::to_string(k)));
    reveal.commitments.push_back(commitment);
  }
  PSEPHOS_TRY(reveal.possession, DiscreteLogProof::decode(in, 1));
  PSEPHOS_CHECK_OK(in.finish("reveal"));
  return reveal;
}

Bytes Reveal::encode() const {
  Writer out;
  out.raw(encode_points(commitments));
  possession.encode(out);
  return std::move(out).take();
}

Result<Shares> Shares::decode(ByteView payload, const Manifest& manifest, std::uint32_t sender) {
  Reader in(payload);
  Shares shares;
  for (std::uint32_t j = 1; j <= manifest.num_trustees(); ++j) {
    if (j == sender) {
      continue;
    }
    auto share = SealedShare::decode(in);
    if (!share.has_value()) {
      return within("share for " + trustee(j), share.error());
    }
    shares.to.emplace(j, *share);
  }
  PSEPHOS_CHECK_OK(in.finish("shares"));
  return shares;
}

Bytes Shares::encode() const {
  Writer out;
  for (const auto& [receiver, share] : to) {
    share.encode(out);
  }
  return std::move(out).take();
}

Result<Complaint> Complaint::decode(ByteView payload, const Manifest& manifest) {
  Reader in(payload);
  Complaint complaint;
  PSEPHOS_TRY(complaint.accused, in.u32("accused"));
  if (complaint.accused < 1 || complaint.accused > manifest.num_trustees()) {
    return fail(Errc::malformed, "accused: there is no " + trustee(complaint.accused));
  }
  PSEPHOS_TRY(complaint.shared_point, Point::decode(in, Identity::accepted, "shared point"));
  PSEPHOS_TRY(complaint.proof, DiscreteLogProof::decode(in, 2));
  PSEPHOS_CHECK_OK(in.finish("complaint"));
  return complaint;
}

Bytes Complaint::encode() const {
  Writer out;
  out.u32(accused);
  shared_point.encode(out);
  proof.encode(out);
  return std::move(out).take();
}

Transcript possession_transcript(const Manifest& manifest, std::uint32_t trustee,
                                 std::span<const Point> commitments) {
  Transcript transcript(labels::kPossession);
  transcript.absorb(labels::kManifest, manifest.digest);
  transcript.absorb_u32(labels::kTrustee, trustee);
  transcript.absorb(labels::kCommitments, encode_points(commitments));
  return transcript;
}

Transcript complaint_transcript(const Digest32& roster, std::uint32_t complainant,
                                std::uint32_t accused) {
  Transcript transcript(labels::kComplaint);
  transcript.absorb(labels::kRosterDigest, roster);
  transcript.absorb_u32(labels::kComplainant, complainant);
  transcript.absorb_u32(labels::kAccused, accused);
  return transcript;
}

Bytes seal_context(const Digest32& roster, std::uint32_t sender, std::uint32_t receiver) {
  Writer out;
  out.raw(roster).u32(sender).u32(receiver);
  return std::move(out).take();
}

Ceremony::Ceremony(std::shared_ptr<const Manifest> manifest, Roster roster)
    : manifest_(std::move(manifest)),
      roster_(std::move(roster)),
      roster_digest_(roster_.digest(*manifest_)),
      commits_(roster_.trustees.size()),
      reveals_(roster_.trustees.size()),
      shares_(roster_.trustees.size()),
      confirmed_(roster_.trustees.size()),
      messages_(3, std::vector<Bytes>(roster_.trustees.size())) {}

std::expected<void, Fault> Ceremony::append(const Message& message,
                                            const crypto::Evaluator& evaluator) {
  if (message.context != roster_digest_) {
    return refuse(Check::trustees, name_of(message) + ": is of another roster");
  }
  if (message.sender < 1 || message.sender > roster_.trustees.size()) {
    return refuse(Check::trustees, "there is no " + trustee(message.sender));
  }
  if (const auto good = message.verify(roster_.trustees[message.sender - 1].identity);
      !good.has_value()) {
    return refuse(Check::trustees, name_of(message) + ": " + good.error().message, "signature");
  }
  if (round_ == Round::failed || round_of(message.type) != round_) {
    return refuse(Check::order, name_of(message) + ": the ceremony " + std::string(name(round_)));
  }
  const std::vector<std::uint32_t> awaited = missing();
  if (std::ranges::find(awaited, message.sender) == awaited.end()) {
    return refuse(Check::order, name_of(message) + ": it has sent its message of this round");
  }
  switch (message.type) {
    case MessageType::commit:
      return append_commit(message);
    case MessageType::reveal:
      return append_reveal(message, evaluator);
    case MessageType::shares:
      return append_shares(message, evaluator);
    case MessageType::confirm:
      return append_confirm(message);
    default:
      return append_complaint(message, evaluator);
  }
}

std::expected<void, Fault> Ceremony::append_commit(const Message& message) {
  Reader in(message.payload);
  const auto digest = in.digest("commit");
  if (!digest.has_value() || in.remaining() > 0) {
    return refuse(Check::trustees, name_of(message) + ": is not the 32 bytes of a digest");
  }
  commits_[message.sender - 1] = *digest;
  finish_message(message);
  return {};
}

std::expected<void, Fault> Ceremony::append_reveal(const Message& message,
                                                   const crypto::Evaluator& evaluator) {
  const std::size_t i = message.sender - 1;
  if (crypto::sha256({message.payload}) != commits_[i]) {
    return refuse(Check::trustees, name_of(message) + ": is not what the trustee committed to",
                  "commitment");
  }
  auto reveal = Reveal::decode(message.payload, *manifest_);
  if (!reveal.has_value()) {
    return refuse(Check::trustees, name_of(message) + ": " + reveal.error().message);
  }
  const auto proved = crypto::verify(
      {.bases = {Point::base()}, .points = {reveal->commitments.front()}}, reveal->possession,
      possession_transcript(*manifest_, message.sender, reveal->commitments), evaluator);
  if (!proved.has_value()) {
    return refuse(Check::trustees, name_of(message) + ": " + proved.error().message,
                  "proof of possession");
  }
  reveals_[i] = *std::move(reveal);
  if (missing().empty() && joint_key().is_identity()) {
    reveals_[i].reset();
    return refuse(Check::trustees, name_of(message) + ": makes the joint key the identity");
  }
  finish_message(message);
  return {};
}

std::expected<void, Fault> Ceremony::append_shares(const Message& message,
                                                   const crypto::Evaluator& evaluator) {
  auto shares = Shares::decode(message.payload, *manifest_, message.sender);
  if (!shares.has_value()) {
    return refuse(Check::trustees, name_of(message) + ": " + shares.error().message);
  }
  for (const auto& [receiver, share] : shares->to) {
    if (const auto proved =
            crypto::verify(share, roster_.trustees[receiver - 1].transport,
                           seal_context(roster_digest_, message.sender, receiver), evaluator);
        !proved.has_value()) {
      return refuse(
          Check::trustees,
          name_of(message) + ": share for " + trustee(receiver) + ": " + proved.error().message,
          "proof of the seal");
    }
  }
  shares_[message.sender - 1] = *std::move(shares);
  finish_message(message);
  return {};
}

std::expected<void, Fault> Ceremony::append_confirm(const Message& message) {
  if (!equal(message.payload, digest())) {
    return refuse(Check::trustees,
                  name_of(message) + ": is not the digest of this ceremony's messages",
                  "ceremony digest");
  }
  confirmed_[message.sender - 1] = true;
  finish_message(message);
  return {};
}

std::expected<void, Fault> Ceremony::append_complaint(const Message& message,
                                                      const crypto::Evaluator& evaluator) {
  const auto complaint = Complaint::decode(message.payload, *manifest_);
  if (!complaint.has_value()) {
    return refuse(Check::trustees, name_of(message) + ": " + complaint.error().message);
  }
  if (complaint->accused == message.sender) {
    return refuse(Check::trustees, name_of(message) + ": it accuses itself");
  }
  verdict_ = judge(message.sender, *complaint, evaluator);
  round_ = Round::failed;
  return {};
}

// The rule of docs/spec.md §5.4, complaint.
Ceremony::Verdict Ceremony::judge(std::uint32_t complainant, const Complaint& complaint,
                                  const crypto::Evaluator& evaluator) const {
  const Point& receiver = roster_.trustees[complainant - 1].transport;
  const SealedShare& sealed = *sealed_share(complaint.accused, complainant);
  const auto proved = crypto::verify(
      {.bases = {Point::base(), sealed.ephemeral}, .points = {receiver, complaint.shared_point}},
      complaint.proof, complaint_transcript(roster_digest_, complainant, complaint.accused),
      evaluator);
  if (!proved.has_value()) {
    return {complainant, "its complaint against " + trustee(complaint.accused) +
                             " does not prove the shared point"};
  }
  const std::string share = "its share for " + trustee(complainant);
  const auto content =
      crypto::open_public(sealed, receiver, complaint.shared_point,
                          seal_context(roster_digest_, complaint.accused, complainant));
  if (!content.has_value()) {
    return {complaint.accused, share + " does not open"};
  }
  const auto scalar = crypto::Scalar::decode(*content);
  if (!scalar.has_value()) {
    return {complaint.accused, share + " is no scalar"};
  }
  if (*scalar * Point::base() !=
      crypto::evaluate_commitments(reveals_[complaint.accused - 1]->commitments, complainant)) {
    return {complaint.accused, share + " does not fit its commitments"};
  }
  return {complainant, "it complained of a good share of " + trustee(complaint.accused)};
}

void Ceremony::finish_message(const Message& message) {
  if (round_ < Round::confirm) {
    messages_[static_cast<std::size_t>(round_)][message.sender - 1] = message.encode();
  }
  if (missing().empty()) {
    round_ = Round{static_cast<std::uint8_t>(static_cast<unsigned>(round_) + 1)};
  }
}

std::vector<std::uint32_t> Ceremony::missing() const {
  std::vector<std::uint32_t> trustees;
  for (std::size_t i = 0; i < roster_.trustees.size(); ++i) {
    const bool is_missing = (round_ == Round::commit && !commits_[i].has_value()) ||
                            (round_ == Round::reveal && !reveals_[i].has_value()) ||
                            (round_ == Round::shares && !shares_[i].has_value()) ||
                            (round_ == Round::confirm && !confirmed_[i]);
    if (is_missing) {
      trustees.push_back(static_cast<std::uint32_t>(i + 1));
    }
  }
  return trustees;
}

const SealedShare* Ceremony::sealed_share(std::uint32_t sender, std::uint32_t receiver) const {
  if (sender < 1 || sender > shares_.size() || !shares_[sender - 1].has_value()) {
    return nullptr;
  }
  const auto& to = shares_[sender - 1]->to;
  const auto found = to.find(receiver);
  return found == to.end() ? nullptr : &found->second;
}

Digest32 Ceremony::digest() const {
  Writer all;
  all.raw(roster_.encode());
  for (const std::vector<Bytes>& round : messages_) {
    for (const Bytes& message : round) {
      PSEPHOS_CHECK(!message.empty());
      all.raw(message);
    }
  }
  return crypto::sha256({all.bytes()});
}

std::vector<std::vector<Point>> Ceremony::commitments() const {
  std::vector<std::vector<Point>> all;
  for (const std::optional<Reveal>& reveal : reveals_) {
    PSEPHOS_CHECK(reveal.has_value());
    all.push_back(reveal->commitments);
  }
  return all;
}

Point Ceremony::joint_key() const {
  Point sum;
  for (const std::vector<Point>& commitments_of_one : commitments()) {
    sum = sum + commitments_of_one.front();
  }
  return sum;
}

}  // namespace psephos::protocol
