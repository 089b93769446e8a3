#include "psephos/sign_in/token.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "psephos/secret.h"

#include "src/sign_in/json.h"

namespace psephos::sign_in {

namespace {

using crypto::JwsAlgorithm;
using nlohmann::json;

constexpr std::size_t kMaxAudiences = 32;
constexpr std::size_t kMaxKidBytes = 256;
// Seconds that a double holds exactly, and that a leeway can be added to.
constexpr double kMaxSeconds = 9007199254740992.0;

Result<JwsAlgorithm> parse_algorithm(const json& header) {
  const std::string* text = text_member(header, "alg");
  if (text == nullptr) {
    return fail(Errc::malformed, "token: the header names no algorithm");
  }
  for (const JwsAlgorithm algorithm :
       {JwsAlgorithm::rs256, JwsAlgorithm::es256, JwsAlgorithm::eddsa}) {
    if (*text == crypto::name(algorithm)) {
      return algorithm;
    }
  }
  return fail(Errc::rejected, "token: signed with " + excerpt(*text) +
                                  "; only RS256, ES256 and EdDSA are accepted");
}

// A media type, whose case does not matter and which may leave out "application/". True: that of an
// access token.
Result<bool> is_access_token_type(const std::string& text) {
  std::string type = text;
  std::ranges::transform(type, type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  constexpr std::string_view kPrefix = "application/";
  if (type.starts_with(kPrefix)) {
    type.erase(0, kPrefix.size());
  }
  if (type != "jwt" && type != "at+jwt") {
    return fail(Errc::rejected, "token: is of the type " + excerpt(text) + ", not JWT or at+jwt");
  }
  return type == "at+jwt";
}

// seconds reads a time; none if it is not there.
Result<std::optional<std::chrono::sys_seconds>> seconds(const json& claims, const char* name) {
  const auto member = claims.find(name);
  if (member == claims.end()) {
    return std::nullopt;
  }
  // A number may have decimals.
  const double value = member->is_number() ? std::floor(member->get<double>()) : -1.0;
  if (std::isnan(value) || value < 0 || value > kMaxSeconds) {
    return fail(Errc::malformed, "token: " + std::string(name) + " is no time");
  }
  return std::chrono::sys_seconds(std::chrono::seconds(static_cast<std::int64_t>(value)));
}

Result<std::vector<std::string>> audiences(const json& claims) {
  const auto member = claims.find("aud");
  std::vector<std::string> result;
  if (member != claims.end() && member->is_string()) {
    result.push_back(member->get<std::string>());
    return result;
  }
  if (member == claims.end() || !member->is_array() || member->empty() ||
      member->size() > kMaxAudiences) {
    return fail(Errc::malformed, "token: aud is no text and no array of 1 to 32 texts");
  }
  for (const json& element : *member) {
    if (!element.is_string()) {
      return fail(Errc::malformed, "token: aud holds what is no text");
    }
    result.push_back(element.get<std::string>());
  }
  return result;
}

// A party named by a claim must be ours.
Result<void> check_party(const json& claims, const char* name, const std::string& ours) {
  if (!claims.contains(name)) {
    return {};
  }
  const std::string* party = text_member(claims, name);
  if (party == nullptr || *party != ours) {
    return fail(Errc::rejected, "token: was made for another program (" + std::string(name) +
                                    " is not " + excerpt(ours) + ")");
  }
  return {};
}

Result<void> check_audience(const json& claims, const TokenRules& rules) {
  PSEPHOS_TRY(const std::vector<std::string> all, audiences(claims));
  if (rules.audience.empty() || std::ranges::find(all, rules.audience) == all.end()) {
    return fail(Errc::rejected,
                "token: is for " + excerpt(all.front()) + ", not for " + excerpt(rules.audience));
  }
  if (rules.kind == TokenKind::id_token) {
    if (all.size() > 1 && !claims.contains("azp")) {
      return fail(Errc::rejected,
                  "token: is for several audiences and names no authorized party (azp)");
    }
    return check_party(claims, "azp", rules.audience);
  }
  if (rules.client_id.empty()) {
    return {};
  }
  PSEPHOS_CHECK_OK(check_party(claims, "azp", rules.client_id));
  return check_party(claims, "client_id", rules.client_id);
}

Result<std::chrono::sys_seconds> check_times(const json& claims, std::chrono::seconds leeway,
                                             std::chrono::sys_seconds now) {
  PSEPHOS_TRY(const auto expires, seconds(claims, "exp"));
  PSEPHOS_TRY(const auto not_before, seconds(claims, "nbf"));
  PSEPHOS_TRY(const auto issued, seconds(claims, "iat"));
  if (!expires.has_value()) {
    return fail(Errc::malformed, "token: says not when it expires (exp)");
  }
  if (now >= *expires + leeway) {
    return fail(Errc::rejected, "token: has expired; sign in again");
  }
  if ((not_before.has_value() && now + leeway < *not_before) ||
      (issued.has_value() && now + leeway < *issued)) {
    return fail(Errc::rejected,
                "token: is not valid yet; compare the clocks of this machine and the provider");
  }
  return *expires;
}

Result<std::string> voter_of(const json& claims, const std::string& claim) {
  const auto refuse = [&](const std::string& why) {
    return fail(Errc::rejected, "token: the claim " + excerpt(claim) + " " + why);
  };
  const std::string* voter = text_member(claims, claim.c_str());
  if (voter == nullptr) {
    return refuse("is missing or no text; ask the provider to put it into tokens");
  }
  if (voter->empty() || voter->size() > Token::kMaxVoterBytes || has_control(*voter)) {
    return refuse("is no text of 1 to 256 bytes without control characters");
  }
  if (claim == "email") {
    const auto verified = claims.find("email_verified");
    if (verified == claims.end() || *verified != json(true)) {
      return refuse("is not verified by the provider");
    }
  }
  return *voter;
}

}  // namespace

TokenRules bearer_rules(std::string issuer, const Client& client) {
  TokenRules rules;
  rules.kind = client.resource.empty() ? TokenKind::id_token : TokenKind::access_token;
  rules.issuer = std::move(issuer);
  rules.audience = client.resource.empty() ? client.client_id : client.resource;
  rules.client_id = client.client_id;
  return rules;
}

Result<Token> Token::parse(std::string_view compact) {
  if (compact.size() > kMaxBytes) {
    return fail(Errc::malformed, "token: longer than " + std::to_string(kMaxBytes) + " bytes");
  }
  const std::size_t first = compact.find('.');
  const std::size_t last = compact.rfind('.');
  if (first == std::string_view::npos || std::ranges::count(compact, '.') != 2) {
    return fail(Errc::malformed, "token: is not three parts with dots between them");
  }
  const std::array<std::string_view, 3> texts = {compact.substr(0, first),
                                                 compact.substr(first + 1, last - first - 1),
                                                 compact.substr(last + 1)};
  std::array<Bytes, 3> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto part = unbase64url(texts[i]);
    if (!part.has_value()) {
      return within("token, part " + std::to_string(i + 1), part.error());
    }
    parts[i] = *std::move(part);
  }
  const auto header = parse_object(as_text(parts[0]), kMaxBytes);
  if (!header.has_value()) {
    return within("token, header", header.error());
  }

  Token token;
  PSEPHOS_TRY(token.algorithm_, parse_algorithm(*header));
  if (header->contains("crit")) {
    return fail(Errc::rejected, "token: has critical header parameters; none are understood here");
  }
  if (header->contains("typ")) {
    const std::string* type = text_member(*header, "typ");
    if (type == nullptr) {
      return fail(Errc::malformed, "token: typ is no text");
    }
    PSEPHOS_TRY(token.is_access_token_, is_access_token_type(*type));
  }
  if (header->contains("kid")) {
    const std::string* kid = text_member(*header, "kid");
    if (kid == nullptr || kid->size() > kMaxKidBytes) {
      return fail(Errc::malformed, "token: kid is no text of at most 256 bytes");
    }
    token.kid_ = *kid;
  }
  token.signing_input_ = compact.substr(0, last);
  token.payload_ = std::move(parts[1]);
  token.signature_ = std::move(parts[2]);
  return token;
}

Result<Claims> Token::verify(const JwkSet& keys, const TokenRules& rules,
                             std::chrono::sys_seconds now) const {
  PSEPHOS_TRY(const Jwk* const jwk, keys.select(algorithm_, kid_));
  if (jwk == nullptr) {
    return fail(Errc::rejected, "token: signed with a key that the provider does not publish");
  }
  if (const auto verified = jwk->key.verify(as_bytes(signing_input_), signature_);
      !verified.has_value()) {
    return within("token", verified.error());
  }
  const auto claims = parse_object(as_text(payload_), kMaxBytes);
  if (!claims.has_value()) {
    return within("token, claims", claims.error());
  }
  const std::string* issuer = text_member(*claims, "iss");
  if (issuer == nullptr || *issuer != rules.issuer) {
    return fail(Errc::rejected, "token: is not of the issuer " + excerpt(rules.issuer));
  }
  // RFC 9068 §4: else one kind could be taken for the other.
  if ((rules.kind == TokenKind::access_token) != is_access_token_) {
    return fail(Errc::rejected, is_access_token_
                                    ? "token: is an access token, not an ID token"
                                    : "token: is no access token (the header's typ is not at+jwt)");
  }
  PSEPHOS_CHECK_OK(check_audience(*claims, rules));
  PSEPHOS_TRY(const std::chrono::sys_seconds expires, check_times(*claims, rules.leeway, now));
  if (rules.kind == TokenKind::id_token) {
    const std::string* nonce = text_member(*claims, "nonce");
    if (nonce == nullptr || rules.nonce.empty() ||
        !ct_equal(as_bytes(*nonce), as_bytes(rules.nonce))) {
      return fail(Errc::rejected, "token: was made for another sign-in (nonce)");
    }
  }
  PSEPHOS_TRY(std::string voter, voter_of(*claims, rules.voter_claim));
  return Claims{.voter = std::move(voter), .expires = expires};
}

}  // namespace psephos::sign_in
