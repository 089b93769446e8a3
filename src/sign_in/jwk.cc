#include "psephos/sign_in/jwk.h"

#include <algorithm>
#include <utility>

#include "psephos/bytes.h"

#include "src/sign_in/json.h"

namespace psephos::sign_in {

namespace {

using crypto::JwsAlgorithm;
using crypto::JwsKey;
using nlohmann::json;

constexpr std::size_t kMaxKidBytes = 256;

Result<Bytes> number(const json& object, const char* name) {
  const std::string* text = text_member(object, name);
  if (text == nullptr) {
    return fail(Errc::malformed, std::string(name) + ": missing or no text");
  }
  auto bytes = unbase64url(*text);
  if (!bytes.has_value()) {
    return within(name, bytes.error());
  }
  return bytes;
}

// is_or_absent tells whether the member, a text, is this one if it is there at all.
bool is_or_absent(const json& object, const char* name, std::string_view value) {
  const auto member = object.find(name);
  return member == object.end() || (member->is_string() && *member == value);
}

Result<JwsKey> build(const json& object) {
  const std::string* type = text_member(object, "kty");
  const std::string* curve = text_member(object, "crv");
  if (type != nullptr && *type == "RSA") {
    PSEPHOS_TRY(const Bytes n, number(object, "n"));
    PSEPHOS_TRY(const Bytes e, number(object, "e"));
    return JwsKey::rs256(n, e);
  }
  if (type != nullptr && *type == "EC" && curve != nullptr && *curve == "P-256") {
    PSEPHOS_TRY(const Bytes x, number(object, "x"));
    PSEPHOS_TRY(const Bytes y, number(object, "y"));
    return JwsKey::es256(x, y);
  }
  if (type != nullptr && *type == "OKP" && curve != nullptr && *curve == "Ed25519") {
    PSEPHOS_TRY(const Bytes x, number(object, "x"));
    return JwsKey::eddsa(x);
  }
  return fail(Errc::rejected, "not of a type that is used here (RSA, EC P-256, OKP Ed25519)");
}

Result<Jwk> parse_key(const json& object) {
  if (!object.is_object()) {
    return fail(Errc::malformed, "not an object");
  }
  if (!is_or_absent(object, "use", "sig")) {
    return fail(Errc::rejected, "not for signatures");
  }
  if (const auto operations = object.find("key_ops");
      operations != object.end() &&
      (!operations->is_array() ||
       std::ranges::find(*operations, json("verify")) == operations->end())) {
    return fail(Errc::rejected, "not for verifying");
  }
  // Whoever publishes the secret part has signed nothing.
  for (const char* member : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    if (object.contains(member)) {
      return fail(Errc::rejected, "published with its secret part");
    }
  }
  PSEPHOS_TRY(JwsKey key, build(object));
  // Without "alg" the type implies the only algorithm this program has for it.
  if (!is_or_absent(object, "alg", crypto::name(key.algorithm()))) {
    return fail(Errc::rejected, "for an algorithm that is not used here");
  }
  Jwk jwk{.kid = std::nullopt, .key = std::move(key)};
  if (object.contains("kid")) {
    const std::string* kid = text_member(object, "kid");
    if (kid == nullptr || kid->size() > kMaxKidBytes) {
      return fail(Errc::malformed, "kid: not a text of at most 256 bytes");
    }
    jwk.kid = *kid;
  }
  return jwk;
}

}  // namespace

Result<JwkSet> JwkSet::parse(std::string_view text) {
  auto object = parse_object(text, kMaxBytes);
  if (!object.has_value()) {
    return within("key set", object.error());
  }
  const auto keys = object->find("keys");
  if (keys == object->end() || !keys->is_array()) {
    return fail(Errc::malformed, "key set: has no array \"keys\"");
  }
  if (keys->size() > kMaxKeys) {
    return fail(Errc::malformed, "key set: has " + std::to_string(keys->size()) +
                                     " keys; at most " + std::to_string(kMaxKeys) + " are read");
  }
  JwkSet set;
  for (std::size_t i = 0; i < keys->size(); ++i) {
    auto key = parse_key((*keys)[i]);
    if (!key.has_value()) {
      set.left_out_.push_back("key " + std::to_string(i) + ": " + key.error().message);
      continue;
    }
    for (const Jwk& other : set.keys_) {
      if (key->kid.has_value() && other.kid == key->kid &&
          other.key.algorithm() == key->key.algorithm()) {
        return fail(Errc::malformed, "key set: two keys have the kid " + excerpt(*key->kid));
      }
    }
    set.keys_.push_back(*std::move(key));
  }
  return set;
}

Result<const Jwk*> JwkSet::select(JwsAlgorithm algorithm,
                                  const std::optional<std::string>& kid) const {
  const Jwk* selected = nullptr;
  bool is_known = false;
  for (const Jwk& jwk : keys_) {
    if (kid.has_value() && jwk.kid != kid) {
      continue;
    }
    is_known = true;
    if (jwk.key.algorithm() != algorithm) {
      continue;
    }
    if (selected != nullptr) {
      return fail(Errc::rejected, "token: names no key, and the provider has several for " +
                                      std::string(crypto::name(algorithm)));
    }
    selected = &jwk;
  }
  if (selected == nullptr && kid.has_value() && is_known) {
    return fail(Errc::rejected, "token: the key " + excerpt(*kid) + " is not for " +
                                    std::string(crypto::name(algorithm)));
  }
  return selected;
}

}  // namespace psephos::sign_in
