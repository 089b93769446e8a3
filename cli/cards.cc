#include "cli/cards.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "psephos/protocol/main_log.h"

#include "cli/json.h"

namespace psephos::cli {

namespace {

using protocol::Manifest;

constexpr std::size_t kMaxCardBytes = std::size_t{8} << 20;
constexpr std::string_view kTrusteeCard = "trustee-card/v1";
constexpr std::string_view kRegistrarCard = "registrar-card/v1";
constexpr std::string_view kBoxCard = "box-card/v1";

// CardFields reads the members of a card's one object.
class CardFields {
 public:
  static Result<CardFields> read(const fs::path& path, std::string_view kind,
                                 const Manifest& manifest,
                                 std::initializer_list<std::string_view> names);

  [[nodiscard]] Result<std::uint32_t> number(const char* name) const;
  [[nodiscard]] Result<Bytes> bytes(const char* name) const;
  [[nodiscard]] Result<std::vector<Bytes>> list(const char* name) const;
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view name, std::string_view why) const {
    return fail(Errc::malformed,
                path_.string() + ": " + std::string(name) + ": " + std::string(why));
  }

 private:
  CardFields(fs::path path, Json object) : path_(std::move(path)), object_(std::move(object)) {}
  [[nodiscard]] Result<std::string> text(const char* name) const;
  [[nodiscard]] Result<Bytes> decode(std::string_view name, const Json& value) const;
  fs::path path_;
  Json object_;
};

Result<CardFields> CardFields::read(const fs::path& path, std::string_view kind,
                                    const Manifest& manifest,
                                    std::initializer_list<std::string_view> names) {
  PSEPHOS_TRY(const Bytes file, runtime::read_file(path, kMaxCardBytes));
  std::set<std::string> keys;
  std::optional<std::string> refused;
  // The callback sees every key before nlohmann lets a later one replace it, and every container.
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > 2 && !refused.has_value()) {
      refused = "is nested deeper than a card";
    }
    if (event == Json::parse_event_t::key && depth == 1 &&
        !keys.insert(parsed.get<std::string>()).second && !refused.has_value()) {
      refused = "the key \"" + parsed.get<std::string>() + "\" occurs twice";
    }
    return !refused.has_value();
  };
  Json object = Json::parse(file.begin(), file.end(), watch, /*allow_exceptions=*/false);
  if (refused.has_value()) {
    return fail(Errc::malformed, path.string() + ": " + *refused);
  }
  if (!object.is_object()) {
    return fail(Errc::malformed, path.string() + ": is not a card: it is not a JSON object");
  }
  CardFields card(path, std::move(object));
  PSEPHOS_TRY(const std::string found, card.text("psephos"));
  if (found != kind) {
    return fail(Errc::malformed,
                path.string() + ": is \"" + found + "\", not \"" + std::string(kind) + "\"");
  }
  for (const std::string& key : keys) {
    if (key != "psephos" && key != "manifest" && std::ranges::find(names, key) == names.end()) {
      return card.wrong(key, "is no key of a card of this kind");
    }
  }
  PSEPHOS_TRY(const std::string digest, card.text("manifest"));
  if (const auto bytes = unhex32(digest); !bytes.has_value()) {
    return card.wrong("manifest", bytes.error().message);
  }
  if (digest != hex(manifest.digest)) {
    return fail(Errc::rejected, path.string() + ": is a card for another manifest (" + digest +
                                    ", not " + hex(manifest.digest) + ")");
  }
  return card;
}

Result<std::string> CardFields::text(const char* name) const {
  if (!object_.contains(name)) {
    return wrong(name, "is missing");
  }
  if (!object_[name].is_string()) {
    return wrong(name, "is not a text");
  }
  return object_[name].get<std::string>();
}

Result<std::uint32_t> CardFields::number(const char* name) const {
  if (!object_.contains(name)) {
    return wrong(name, "is missing");
  }
  const Json& value = object_[name];
  if (!value.is_number_unsigned() ||
      value.get<std::uint64_t>() > std::numeric_limits<std::uint32_t>::max()) {
    return wrong(name, "is not a number from 0");
  }
  return value.get<std::uint32_t>();
}

Result<Bytes> CardFields::decode(std::string_view name, const Json& value) const {
  if (!value.is_string()) {
    return wrong(name, "is not a text");
  }
  auto bytes = unbase64(value.get<std::string>());
  if (!bytes.has_value()) {
    return wrong(name, bytes.error().message);
  }
  return std::move(*bytes);
}

Result<Bytes> CardFields::bytes(const char* name) const {
  if (!object_.contains(name)) {
    return wrong(name, "is missing");
  }
  return decode(name, object_[name]);
}

Result<std::vector<Bytes>> CardFields::list(const char* name) const {
  if (!object_.contains(name)) {
    return wrong(name, "is missing");
  }
  if (!object_[name].is_array()) {
    return wrong(name, "is not an array");
  }
  std::vector<Bytes> list;
  for (const Json& element : object_[name]) {
    PSEPHOS_TRY(Bytes bytes,
                decode(std::string(name) + "[" + std::to_string(list.size()) + "]", element));
    list.push_back(std::move(bytes));
  }
  return list;
}

Json head(std::string_view kind, const Manifest& manifest) {
  return {{"psephos", kind}, {"manifest", hex(manifest.digest)}};
}

Result<TrusteeCard> read_trustee_card(const fs::path& path, const Manifest& manifest) {
  PSEPHOS_TRY(const auto fields,
              CardFields::read(path, kTrusteeCard, manifest, {"trustee", "identity", "transport"}));
  TrusteeCard card;
  PSEPHOS_TRY(card.trustee, fields.number("trustee"));
  if (card.trustee == 0 || card.trustee > manifest.num_trustees()) {
    return fields.wrong(
        "trustee", "the manifest lists trustees 1 to " + std::to_string(manifest.num_trustees()));
  }
  PSEPHOS_TRY(const Bytes identity, fields.bytes("identity"));
  PSEPHOS_TRY(card.keys.identity, in_file(path, crypto::Ed25519PublicKey::decode(identity)));
  PSEPHOS_TRY(const Bytes transport, fields.bytes("transport"));
  PSEPHOS_TRY(card.keys.transport,
              in_file(path, crypto::Point::decode(transport, crypto::Identity::refused)));
  return card;
}

Result<RegistrarCard> read_registrar_card(const fs::path& path, const Manifest& manifest) {
  PSEPHOS_TRY(const auto fields, CardFields::read(path, kRegistrarCard, manifest,
                                                  {"registrar", "log_key", "credential_keys"}));
  RegistrarCard card;
  PSEPHOS_TRY(card.registrar, fields.number("registrar"));
  if (card.registrar >= manifest.num_registrars()) {
    return fields.wrong("registrar", "the manifest lists registrars 0 to " +
                                         std::to_string(manifest.num_registrars() - 1));
  }
  PSEPHOS_TRY(const Bytes log_key, fields.bytes("log_key"));
  PSEPHOS_TRY(card.log_key, in_file(path, crypto::Ed25519PublicKey::decode(log_key)));
  PSEPHOS_TRY(const auto keys, fields.list("credential_keys"));
  if (keys.size() != manifest.num_styles()) {
    return fields.wrong("credential_keys", "holds " + std::to_string(keys.size()) + " keys for " +
                                               std::to_string(manifest.num_styles()) +
                                               " ballot styles");
  }
  for (std::uint32_t style = 0; style < manifest.num_styles(); ++style) {
    const fs::path place = path.string() + ": credential_keys[" + std::to_string(style) + "]";
    PSEPHOS_TRY(protocol::Message message, in_file(place, protocol::Message::decode(keys[style])));
    PSEPHOS_CHECK_OK(in_file(place, message.verify(card.log_key)));
    PSEPHOS_TRY(const auto key,
                in_file(place, protocol::CredentialKey::decode(message.payload, manifest)));
    if (message.type != protocol::MessageType::credential_key || key.style != style ||
        message.sender != card.registrar || message.context != manifest.digest) {
      return fail(Errc::rejected,
                  place.string() + ": is not this registrar's key for that ballot style");
    }
    card.credential_keys.push_back(std::move(message));
  }
  return card;
}

// Puts cards into the order of their parties, numbered from `first`.
template <class Card>
Result<std::vector<Card>> in_order(std::span<const std::string> paths, const Manifest& manifest,
                                   const std::vector<std::string>& names, std::uint32_t first,
                                   Result<Card> (*read)(const fs::path&, const Manifest&),
                                   std::uint32_t Card::* number) {
  std::vector<std::optional<Card>> slots(names.size());
  const auto party = [&](std::size_t slot) {
    return std::to_string(slot + first) + " (" + names[slot] + ")";
  };
  for (const std::string& path : paths) {
    PSEPHOS_TRY(Card card, read(path, manifest));
    const std::size_t slot = card.*number - first;
    if (slots[slot].has_value()) {
      return fail(Errc::misuse, path + ": is a second card of " + party(slot));
    }
    slots[slot] = std::move(card);
  }
  std::vector<Card> cards;
  for (std::size_t slot = 0; slot < slots.size(); ++slot) {
    if (!slots[slot].has_value()) {
      return fail(Errc::misuse, "the card of " + party(slot) + " is missing");
    }
    cards.push_back(std::move(*slots[slot]));
  }
  return cards;
}

}  // namespace

std::string print(const Manifest& manifest, const TrusteeCard& card) {
  Json object = head(kTrusteeCard, manifest);
  object["trustee"] = card.trustee;
  object["identity"] = base64(card.keys.identity.bytes);
  object["transport"] = base64(card.keys.transport.bytes());
  return json_text(object);
}

std::string print(const Manifest& manifest, const RegistrarCard& card) {
  Json object = head(kRegistrarCard, manifest);
  object["registrar"] = card.registrar;
  object["log_key"] = base64(card.log_key.bytes);
  object["credential_keys"] = Json::array();
  for (const protocol::Message& message : card.credential_keys) {
    object["credential_keys"].push_back(base64(message.encode()));
  }
  return json_text(object);
}

std::string print(const Manifest& manifest, const BoxCard& card) {
  Json object = head(kBoxCard, manifest);
  object["log_keys"] = Json::array();
  for (const crypto::Ed25519PublicKey& key : card.log_keys) {
    object["log_keys"].push_back(base64(key.bytes));
  }
  return json_text(object);
}

Result<BoxCard> read_box_card(const fs::path& path, const Manifest& manifest) {
  PSEPHOS_TRY(const auto fields, CardFields::read(path, kBoxCard, manifest, {"log_keys"}));
  PSEPHOS_TRY(const auto keys, fields.list("log_keys"));
  if (keys.size() != manifest.shards) {
    return fields.wrong("log_keys", "holds " + std::to_string(keys.size()) + " keys for " +
                                        std::to_string(manifest.shards) + " shards");
  }
  BoxCard card;
  for (const Bytes& bytes : keys) {
    PSEPHOS_TRY(const auto key, in_file(path, crypto::Ed25519PublicKey::decode(bytes)));
    card.log_keys.push_back(key);
  }
  return card;
}

Result<std::vector<TrusteeCard>> read_trustee_cards(std::span<const std::string> paths,
                                                    const Manifest& manifest) {
  auto cards = in_order<TrusteeCard>(paths, manifest, manifest.trustees, 1, read_trustee_card,
                                     &TrusteeCard::trustee);
  return cards;
}

Result<std::vector<RegistrarCard>> read_registrar_cards(std::span<const std::string> paths,
                                                        const Manifest& manifest) {
  auto cards = in_order<RegistrarCard>(paths, manifest, manifest.registrars, 0, read_registrar_card,
                                       &RegistrarCard::registrar);
  return cards;
}

}  // namespace psephos::cli
