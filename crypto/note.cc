#include "psephos/crypto/note.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "psephos/codec.h"
#include "psephos/crypto/hash.h"

namespace psephos::crypto {

namespace {

constexpr std::string_view kDash = "\u2014 ";
constexpr std::size_t kMaxSignatures = 100;
constexpr std::size_t kMaxProofHashes = 63;
constexpr std::uint64_t kMaxTime = INT64_MAX;  // C2SP tlog-cosignature
constexpr std::string_view kProofHeader = "c2sp.org/tlog-proof@v1\n";

// The characters with Unicode's White_Space property.
constexpr std::array<std::string_view, 25> kSpaces = {
    "\t",     "\n",     "\v",     "\f",     "\r",     " ",      "\u0085", "\u00a0", "\u1680",
    "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008",
    "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"};

bool has_controls(std::string_view text, std::string_view allowed) {
  return std::ranges::any_of(
      text, [&](char c) { return static_cast<unsigned char>(c) < 0x20 && !allowed.contains(c); });
}

// Takes the next line off the text, without its newline.
Result<std::string_view> take_line(std::string_view& text, std::string_view what) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos) {
    return fail(Errc::malformed, std::string(what) + ": line or its newline is missing");
  }
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

// A decimal number of 64 bits without leading zeros or sign.
Result<std::uint64_t> decimal(std::string_view text, std::string_view what) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      (text.size() > 1 && text.front() == '0')) {
    return fail(Errc::malformed, std::string(what) + ": not a decimal number of 64 bits");
  }
  return value;
}

Result<Digest32> hash_line(std::string_view line, std::string_view what) {
  const auto bytes = unbase64(line);
  Digest32 hash;
  if (!bytes.has_value()) {
    return within(what, bytes.error());
  }
  if (bytes->size() != hash.size()) {
    return fail(Errc::malformed,
                std::string(what) + ": " + std::to_string(bytes->size()) + " bytes, expected 32");
  }
  std::ranges::copy(*bytes, hash.begin());
  return hash;
}

std::uint32_t key_id(std::string_view name, ByteView typed_key) {
  const Digest32 digest = sha256({as_bytes(name), as_bytes("\n"), typed_key});
  return std::uint32_t{digest[0]} << 24 | std::uint32_t{digest[1]} << 16 |
         std::uint32_t{digest[2]} << 8 | digest[3];
}

Bytes typed_key(NoteAlgorithm algorithm, const Ed25519PublicKey& key) {
  Writer out;
  out.u8(static_cast<std::uint8_t>(algorithm)).raw(key.bytes);
  return std::move(out).take();
}

Bytes id_bytes(std::uint32_t id) {
  Writer out;
  out.u32(id);
  return std::move(out).take();
}

Result<NoteSignature> parse_signature(std::string_view line) {
  if (!line.starts_with(kDash)) {
    return fail(Errc::malformed, "signature line does not start with an em dash and a space");
  }
  line.remove_prefix(kDash.size());
  const auto space = line.find(' ');
  if (space == std::string_view::npos || !valid_note_name(line.substr(0, space))) {
    return fail(Errc::malformed, "signature line without a valid name");
  }
  NoteSignature signature;
  signature.name = line.substr(0, space);
  const auto blob = unbase64(line.substr(space + 1));
  if (!blob.has_value()) {
    return within("signature of " + signature.name, blob.error());
  }
  Reader in(*blob);
  PSEPHOS_TRY(signature.id, in.u32("signature of " + signature.name));
  if (in.remaining() == 0) {
    return fail(Errc::malformed, "signature of " + signature.name + ": only a key id");
  }
  signature.signature.assign(in.rest().begin(), in.rest().end());
  return signature;
}

Result<Ed25519Signature> read_signature(Reader& in) {
  Ed25519Signature signature;
  PSEPHOS_TRY(const ByteView bytes, in.raw(signature.size(), "signature"));
  PSEPHOS_CHECK_OK(in.finish("signature"));
  std::ranges::copy(bytes, signature.begin());
  return signature;
}

}  // namespace

bool valid_note_name(std::string_view name) {
  return !name.empty() && is_utf8(name) && !name.contains('+') && !has_controls(name, "") &&
         std::ranges::none_of(kSpaces,
                              [&](std::string_view space) { return name.contains(space); });
}

bool valid_note_text(std::string_view text) {
  return text.ends_with('\n') && is_utf8(text) && !has_controls(text, "\n");
}

Result<NoteVerifier> NoteVerifier::create(std::string_view name, NoteAlgorithm algorithm,
                                          const Ed25519PublicKey& key) {
  if (!valid_note_name(name)) {
    return fail(Errc::malformed, "key name must not be empty or contain spaces or a plus");
  }
  NoteVerifier verifier;
  verifier.name_ = name;
  verifier.id_ = key_id(name, typed_key(algorithm, key));
  verifier.algorithm_ = algorithm;
  verifier.key_ = key;
  return verifier;
}

Result<NoteVerifier> NoteVerifier::parse(std::string_view vkey) {
  const auto bad = [&](std::string_view why) {
    return fail(Errc::malformed, "verifier key: " + std::string(why));
  };
  const auto first = vkey.find('+');
  const auto second = first == std::string_view::npos ? first : vkey.find('+', first + 1);
  if (second == std::string_view::npos) {
    return bad("expected name+id+key");
  }
  const auto bytes = unbase64(vkey.substr(second + 1));
  if (!bytes.has_value()) {
    return bad(bytes.error().message);
  }
  if (bytes->empty()) {
    return bad("no key");
  }
  const NoteAlgorithm algorithm{bytes->front()};
  if (algorithm != NoteAlgorithm::ed25519 && algorithm != NoteAlgorithm::cosignature_v1) {
    return bad("unknown algorithm; 1 and 4 are supported");
  }
  const auto key = Ed25519PublicKey::decode(ByteView(*bytes).subspan(1));
  if (!key.has_value()) {
    return bad(key.error().message);
  }
  PSEPHOS_TRY(NoteVerifier verifier, create(vkey.substr(0, first), algorithm, *key));
  if (vkey.substr(first + 1, second - first - 1) != hex(id_bytes(verifier.id_))) {
    return bad("the id does not belong to this name and key");
  }
  return verifier;
}

std::string NoteVerifier::vkey() const {
  return name_ + "+" + hex(id_bytes(id_)) + "+" + base64(typed_key(algorithm_, key_));
}

Result<void> NoteVerifier::verify(std::string_view text, ByteView signature) const {
  const auto verify_all = [&]() -> Result<void> {
    Reader in(signature);
    if (algorithm_ == NoteAlgorithm::ed25519) {
      PSEPHOS_TRY(const Ed25519Signature bytes, read_signature(in));
      return key_.verify(as_bytes(text), bytes);
    }
    PSEPHOS_TRY(const std::uint64_t time, in.u64("time"));
    PSEPHOS_TRY(const Ed25519Signature bytes, read_signature(in));
    if (time > kMaxTime) {
      return fail(Errc::rejected, "time out of range");
    }
    return key_.verify(as_bytes(cosigned_text(text, time)), bytes);
  };
  // A signature of a wrong shape is a bad signature of a well-formed note.
  if (const auto good = verify_all(); !good.has_value()) {
    return fail(Errc::rejected, "signature of " + name_ + ": " + good.error().message);
  }
  return {};
}

Result<Note> Note::parse(std::string_view note) {
  const auto end = note.rfind("\n\n");
  if (end == std::string_view::npos || !valid_note_text(note)) {
    return fail(Errc::malformed,
                "signed note: not UTF-8 lines with an empty line before the signatures");
  }
  Note result;
  result.text = note.substr(0, end + 1);
  std::string_view rest = note.substr(end + 2);
  while (!rest.empty()) {
    if (result.signatures.size() == kMaxSignatures) {
      return fail(Errc::malformed, "signed note: more than 100 signatures");
    }
    PSEPHOS_TRY(const std::string_view line, take_line(rest, "signed note"));
    PSEPHOS_TRY(NoteSignature signature, parse_signature(line));
    result.signatures.push_back(std::move(signature));
  }
  if (result.signatures.empty()) {
    return fail(Errc::malformed, "signed note: no signature");
  }
  return result;
}

std::string Note::print() const {
  std::string note = text + "\n";
  for (const NoteSignature& signature : signatures) {
    note += print_signature(signature);
  }
  return note;
}

std::string Note::print_signature(const NoteSignature& signature) {
  Writer out;
  out.u32(signature.id).raw(signature.signature);
  return std::string(kDash) + signature.name + " " + base64(out.bytes()) + "\n";
}

Result<std::vector<std::size_t>> Note::verified_by(std::span<const NoteVerifier> known) const {
  std::vector<std::size_t> verified;
  for (std::size_t i = 0; i < known.size(); ++i) {
    const auto by_same_key = [&](const auto& other) {
      return other.name == known[i].name() && other.id == known[i].id();
    };
    bool found = false;
    for (const NoteSignature& signature : signatures) {
      if (!by_same_key(signature)) {
        continue;
      }
      PSEPHOS_CHECK_OK(known[i].verify(text, signature.signature));
      found = true;
    }
    if (found) {
      verified.push_back(i);
    }
  }
  if (verified.empty()) {
    return fail(Errc::rejected, "signed note: no signature by a known key");
  }
  return verified;
}

Result<Checkpoint> Checkpoint::parse(std::string_view text) {
  if (!valid_note_text(text)) {
    return fail(Errc::malformed, "checkpoint: not lines of UTF-8 without control characters");
  }
  Checkpoint checkpoint;
  PSEPHOS_TRY(checkpoint.origin, take_line(text, "checkpoint origin"));
  if (checkpoint.origin.empty()) {
    return fail(Errc::malformed, "checkpoint origin is empty");
  }
  PSEPHOS_TRY(const std::string_view size, take_line(text, "checkpoint size"));
  PSEPHOS_TRY(checkpoint.tree.size, decimal(size, "checkpoint size"));
  PSEPHOS_TRY(const std::string_view root, take_line(text, "checkpoint root"));
  PSEPHOS_TRY(checkpoint.tree.root, hash_line(root, "checkpoint root"));
  if (checkpoint.tree.size == 0 && checkpoint.tree.root != sha256({})) {
    return fail(Errc::malformed, "checkpoint of size 0 with another root than SHA-256(\"\")");
  }
  while (!text.empty()) {
    PSEPHOS_TRY(const std::string_view line, take_line(text, "checkpoint extension"));
    if (line.empty()) {
      return fail(Errc::malformed, "checkpoint extension line is empty");
    }
    checkpoint.extensions.emplace_back(line);
  }
  return checkpoint;
}

std::string Checkpoint::print() const {
  std::string text = origin + "\n" + std::to_string(tree.size) + "\n" + base64(tree.root) + "\n";
  for (const std::string& line : extensions) {
    text += line + "\n";
  }
  return text;
}

std::string cosigned_text(std::string_view checkpoint_text, std::uint64_t time) {
  return "cosignature/v1\ntime " + std::to_string(time) + "\n" + std::string(checkpoint_text);
}

Result<LogProof> LogProof::parse(std::string_view text) {
  if (!text.starts_with(kProofHeader)) {
    return fail(Errc::malformed, "log proof: first line is not c2sp.org/tlog-proof@v1");
  }
  text.remove_prefix(kProofHeader.size());
  LogProof proof;
  PSEPHOS_TRY(std::string_view line, take_line(text, "log proof"));
  if (line.starts_with("extra ")) {
    PSEPHOS_TRY(proof.extra, unbase64(line.substr(6)));
    PSEPHOS_TRY(line, take_line(text, "log proof"));
  }
  if (!line.starts_with("index ")) {
    return fail(Errc::malformed, "log proof: no index line");
  }
  PSEPHOS_TRY(proof.index, decimal(line.substr(6), "log proof index"));
  while (true) {
    PSEPHOS_TRY(line, take_line(text, "log proof"));
    if (line.empty()) {
      break;
    }
    if (proof.hashes.size() == kMaxProofHashes) {
      return fail(Errc::malformed, "log proof: more than 63 hashes");
    }
    PSEPHOS_TRY(const Digest32 hash, hash_line(line, "log proof hash"));
    proof.hashes.push_back(hash);
  }
  PSEPHOS_TRY(const Note note, Note::parse(text));
  PSEPHOS_CHECK_OK(Checkpoint::parse(note.text));
  proof.checkpoint = text;
  return proof;
}

std::string LogProof::print() const {
  std::string text(kProofHeader);
  if (extra.has_value()) {
    text += "extra " + base64(*extra) + "\n";
  }
  text += "index " + std::to_string(index) + "\n";
  for (const Digest32& hash : hashes) {
    text += base64(hash) + "\n";
  }
  return text + "\n" + checkpoint;
}

}  // namespace psephos::crypto
