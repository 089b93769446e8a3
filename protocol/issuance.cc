#include "psephos/protocol/issuance.h"

#include <algorithm>
#include <string>

#include "psephos/codec.h"
#include "psephos/crypto/hash.h"
#include "psephos/protocol/ballot.h"

#include "protocol/labels.h"

namespace psephos::protocol {

namespace {

constexpr std::size_t kMaxVoterBytes = 256;
constexpr std::size_t kMaxCodeBytes = 256;

// What requests and responses begin with.
struct Head {
  Digest32 election_id{};
  std::uint32_t registrar = 0;
  std::uint32_t style = 0;
};

Result<std::uint32_t> read_style(Reader& in, const Manifest& manifest) {
  PSEPHOS_TRY(const std::uint32_t style, in.u32("style"));
  if (style >= manifest.num_styles()) {
    return fail(Errc::malformed, "style " + std::to_string(style) + ": the election has only " +
                                     std::to_string(manifest.num_styles()));
  }
  return style;
}

Result<Head> read_head(Reader& in, std::string_view label, const Manifest& manifest) {
  PSEPHOS_TRY(const ByteView magic, in.raw(label.size(), "first bytes"));
  if (as_text(magic) != label) {
    return fail(Errc::malformed, "does not begin with \"" + std::string(label) + "\"");
  }
  Head head;
  PSEPHOS_TRY(head.election_id, in.digest("election id"));
  PSEPHOS_TRY(head.registrar, in.u32("registrar"));
  if (head.registrar >= manifest.num_registrars()) {
    return fail(Errc::malformed, "registrar " + std::to_string(head.registrar) +
                                     ": the election has only " +
                                     std::to_string(manifest.num_registrars()));
  }
  PSEPHOS_TRY(head.style, read_style(in, manifest));
  return head;
}

Result<Bytes> read_rsa_number(Reader& in, const Manifest& manifest, std::string_view field) {
  PSEPHOS_TRY(const ByteView bytes, in.raw(manifest.signature_bytes(), field));
  return Bytes(bytes.begin(), bytes.end());
}

Result<EnrolmentRequest> decode_request(ByteView bytes, const Manifest& manifest) {
  Reader in(bytes);
  PSEPHOS_TRY(const Head head, read_head(in, labels::kEnrolmentRequest, manifest));
  EnrolmentRequest request{.election_id = head.election_id,
                           .registrar = head.registrar,
                           .style = head.style,
                           .voter = {},
                           .code = {},
                           .blinded_message = {}};
  PSEPHOS_TRY(request.voter, in.text(kMaxVoterBytes, "voter id"));
  PSEPHOS_TRY(request.code, in.text(kMaxCodeBytes, "code"));
  PSEPHOS_TRY(request.blinded_message, read_rsa_number(in, manifest, "blinded message"));
  PSEPHOS_CHECK_OK(in.finish("after the blinded message"));
  return request;
}

Result<EnrolmentResponse> decode_response(ByteView bytes, const Manifest& manifest) {
  Reader in(bytes);
  PSEPHOS_TRY(const Head head, read_head(in, labels::kEnrolmentResponse, manifest));
  EnrolmentResponse response{.election_id = head.election_id,
                             .registrar = head.registrar,
                             .style = head.style,
                             .blind_signature = {}};
  PSEPHOS_TRY(response.blind_signature, read_rsa_number(in, manifest, "blind signature"));
  PSEPHOS_CHECK_OK(in.finish("after the blind signature"));
  return response;
}

Result<Issuance> decode_issuance(ByteView bytes, const Manifest& manifest) {
  Reader in(bytes);
  PSEPHOS_TRY(const std::uint8_t type, in.u8("entry type"));
  if (type != static_cast<std::uint8_t>(EntryType::issuance)) {
    return fail(Errc::malformed, "type " + std::to_string(type) + " is not that of an issuance");
  }
  Issuance issuance;
  PSEPHOS_TRY(issuance.pseudonym, in.digest("pseudonym"));
  PSEPHOS_TRY(issuance.style, read_style(in, manifest));
  PSEPHOS_TRY(issuance.blinded_digest, in.digest("digest of the blinded message"));
  PSEPHOS_CHECK_OK(in.finish("after the digest"));
  return issuance;
}

template <class T>
Result<T> named(std::string_view what, Result<T> result) {
  if (!result.has_value()) {
    return within(what, result.error());
  }
  return result;
}

std::unexpected<Fault> refuse(std::string message) {
  return std::unexpected(
      Fault{.check = Check::issuance, .place = {}, .message = std::move(message), .equation = {}});
}

}  // namespace

Result<EnrolmentRequest> EnrolmentRequest::decode(ByteView bytes, const Manifest& manifest) {
  return named("enrolment request", decode_request(bytes, manifest));
}

Bytes EnrolmentRequest::encode() const {
  Writer out;
  out.raw(as_bytes(labels::kEnrolmentRequest)).raw(election_id).u32(registrar).u32(style);
  out.var(voter).var(code).raw(blinded_message);
  return std::move(out).take();
}

std::string EnrolmentRequest::sign_in_nonce() const {
  Writer out;
  out.raw(as_bytes(labels::kSignIn)).raw(election_id).u32(registrar).var(blinded_message);
  return base64url(crypto::sha256({out.bytes()}));
}

Result<EnrolmentResponse> EnrolmentResponse::decode(ByteView bytes, const Manifest& manifest) {
  return named("enrolment response", decode_response(bytes, manifest));
}

Bytes EnrolmentResponse::encode() const {
  Writer out;
  out.raw(as_bytes(labels::kEnrolmentResponse)).raw(election_id).u32(registrar).u32(style);
  out.raw(blind_signature);
  return std::move(out).take();
}

Result<Issuance> Issuance::decode(ByteView bytes, const Manifest& manifest) {
  return named("issuance", decode_issuance(bytes, manifest));
}

Bytes Issuance::encode() const {
  Writer out;
  out.u8(static_cast<std::uint8_t>(EntryType::issuance)).raw(pseudonym).u32(style);
  out.raw(blinded_digest);
  return std::move(out).take();
}

Result<RollImport> RollImport::decode(ByteView payload, const Manifest& manifest) {
  Reader in(payload);
  RollImport result;
  PSEPHOS_TRY(result.number, in.u32("number"));
  PSEPHOS_TRY(result.digest, in.digest("digest"));
  std::uint64_t all = 0;
  for (std::uint32_t style = 0; style < manifest.num_styles(); ++style) {
    PSEPHOS_TRY(const std::uint64_t voters, in.u64("voters"));
    if (voters > manifest.voters - all) {
      return fail(Errc::malformed, "roll: more voters than the manifest allows");
    }
    all += voters;
    result.voters.push_back(voters);
  }
  PSEPHOS_CHECK_OK(in.finish("roll"));
  return result;
}

Bytes RollImport::encode() const {
  Writer out;
  out.u32(number).raw(digest);
  for (const std::uint64_t count : voters) {
    out.u64(count);
  }
  return std::move(out).take();
}

IssuanceState::IssuanceState(const Manifest& manifest)
    : manifest_(&manifest), issued_(manifest.num_styles()) {}

std::expected<void, Fault> IssuanceState::check(const Issuance& issuance) const {
  if (by_pseudonym_.contains(issuance.pseudonym)) {
    return refuse("the pseudonym " + hex(issuance.pseudonym) + " got a credential before");
  }
  if (blinded_.contains(issuance.blinded_digest)) {
    return refuse("the blinded message with digest " + hex(issuance.blinded_digest) +
                  " was signed before");
  }
  if (total() >= manifest_->voters) {
    return refuse("more issuances than the manifest's " + std::to_string(manifest_->voters) +
                  " voters");
  }
  return {};
}

std::expected<void, Fault> IssuanceState::append(const Issuance& issuance) {
  if (auto fit = check(issuance); !fit.has_value()) {
    return fit;
  }
  by_pseudonym_.emplace(issuance.pseudonym, issuance);
  blinded_.insert(issuance.blinded_digest);
  ++issued_[issuance.style];
  return {};
}

const Issuance* IssuanceState::find(const Digest32& pseudonym) const {
  const auto found = by_pseudonym_.find(pseudonym);
  return found == by_pseudonym_.end() ? nullptr : &found->second;
}

}  // namespace psephos::protocol
