#include "psephos/crypto/note.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/note_signer.h"
#include "psephos/crypto/tile.h"

#include "tests/crypto/expect.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::fails_with;
using test::Field;
using test::is_ok;
using test::must;

std::vector<NoteVerifier> verifiers(const Field& vkeys) {
  std::vector<NoteVerifier> known;
  for (const Field& vkey : vkeys.array()) {
    known.push_back(must(NoteVerifier::parse(vkey.str())));
    EXPECT_EQ(known.back().vkey(), vkey.str());
  }
  return known;
}

// Opens a note as a client does: parsed, and signed by a known key.
Result<Note> open(std::string_view text, std::span<const NoteVerifier> known) {
  PSEPHOS_TRY(Note note, Note::parse(text));
  PSEPHOS_CHECK_OK(note.verified_by(known));
  return note;
}

Ed25519SecretKey key_from(ByteView seed) {
  SecretBytes<32> bytes;
  std::ranges::copy(seed, bytes.expose_secret().begin());
  return Ed25519SecretKey::from_seed(bytes);
}

std::string flip(std::string text, std::size_t at) {
  text.at(at) = static_cast<char>(text[at] ^ 1);
  return text;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// --- C2SP vectors -------------------------------------------------------------------------------

TEST(Note, C2spVectors) {
  PSEPHOS_LOAD_VECTORS(items, "c2sp_tlog.json", "notes");
  for (const Field& item : items.array()) {
    SCOPED_TRACE(item["name"].str());
    item.ignore("source", "prose");
    std::string text;
    if (item.has("note")) {
      text = item["note"].str();
    } else {
      const Bytes bytes = item["note_hex"].hex();
      text = as_text(bytes);
    }
    const auto known = verifiers(item["vkeys"]);
    const auto parsed = Note::parse(text);
    if (parsed.has_value()) {
      EXPECT_EQ(parsed->print(), text);
    }
    // null: the key is not published, the note can only be parsed.
    if (item["valid"].is_null()) {
      EXPECT_TRUE(is_ok(parsed));
    } else {
      EXPECT_EQ(open(text, known).has_value(), item["valid"].boolean());
    }
    if (item.has("skey")) {
      const NoteSigner signer = must(NoteSigner::parse_for_testing(item["skey"].str()));
      EXPECT_EQ(signer.verifier(), known[0]);
      EXPECT_TRUE(text.starts_with(must(signer.sign(parsed->text))));
    }
    if (item.has("seed")) {
      const NoteSigner signer =
          must(NoteSigner::create(known[0].name(), key_from(item["seed"].hex())));
      EXPECT_EQ(signer.verifier(), known[0]);
      EXPECT_EQ(must(signer.sign(parsed->text)), text);
    }
  }
}

// The vectors' cosigned checkpoint, made again: log and witness keys, time and bytes.
TEST(Note, C2spCosignatureIsReproduced) {
  PSEPHOS_LOAD_VECTORS(vectors, "c2sp_tlog.json");
  for (const char* section : {"notes", "proofs", "add_checkpoint", "tile_index_paths",
                              "tile_shapes", "bad_checkpoint_text", "tessera_log"}) {
    vectors.ignore(section, "the other tests");
  }
  const NoteSigner log = must(NoteSigner::create(
      "example.com/vote/log1", key_from(sha256({as_bytes("mklog test key, not secret")}))));
  const Ed25519SecretKey key = key_from(sha256({as_bytes("mklog witness key, not secret")}));
  const NoteVerifier witness = must(NoteVerifier::create(
      "witness.example.com/w1", NoteAlgorithm::cosignature_v1, key.public_key()));
  int num_reproduced = 0;
  for (const Field& item : vectors["notes"].array()) {
    if (item["name"].str() != "checkpoint with cosignature/v1") {
      continue;
    }
    const std::string text = item["note"].str();
    const Note note = must(Note::parse(text));
    EXPECT_EQ(must(log.sign(note.text)) +
                  Note::print_signature(must(cosign(note.text, witness, key, 1700000000))),
              text);
    ++num_reproduced;
  }
  EXPECT_EQ(num_reproduced, 1);
}

TEST(Checkpoint, C2spBadTexts) {
  PSEPHOS_LOAD_VECTORS(items, "c2sp_tlog.json", "bad_checkpoint_text");
  for (const Field& item : items.array()) {
    SCOPED_TRACE(item["why"].str());
    EXPECT_TRUE(fails_with(Errc::malformed, Checkpoint::parse(item["text"].str())));
  }
}

Result<void> check_proof(std::string_view text, std::string_view entry,
                         std::span<const NoteVerifier> known) {
  PSEPHOS_TRY(const LogProof proof, LogProof::parse(text));
  EXPECT_EQ(proof.print(), text);
  PSEPHOS_TRY(const Note note, open(proof.checkpoint, known));
  PSEPHOS_TRY(const Checkpoint checkpoint, Checkpoint::parse(note.text));
  EXPECT_EQ(checkpoint.print(), note.text);
  return verify_inclusion(proof.index, merkle_leaf(as_bytes(entry)), checkpoint.tree, proof.hashes);
}

TEST(LogProof, C2spVectors) {
  PSEPHOS_LOAD_VECTORS(items, "c2sp_tlog.json", "proofs");
  std::string good_checkpoint;
  for (const Field& item : items.array()) {
    SCOPED_TRACE(item["name"].str());
    const std::string text = item["proof"].str();
    const auto known = verifiers(item["vkeys"]);
    if (!item["valid"].is_null()) {
      const bool valid = item["valid"].boolean();
      EXPECT_EQ(check_proof(text, item["entry"].str(), known).has_value(), valid);
      if (valid) {
        good_checkpoint = must(LogProof::parse(text)).checkpoint;
      }
      continue;
    }
    // The specification's own example has its signatures shortened: no checkpoint. Its head is
    // read with another checkpoint behind it.
    EXPECT_TRUE(item["entry"].is_null());
    EXPECT_TRUE(fails_with(Errc::malformed, LogProof::parse(text)));
    const std::string head = text.substr(0, text.find("\n\n") + 2) + good_checkpoint;
    const LogProof proof = must(LogProof::parse(head));
    EXPECT_EQ(proof.print(), head);
    EXPECT_EQ(proof.index, 73894U);
    EXPECT_EQ(proof.hashes.size(), 5U);
    ASSERT_TRUE(proof.extra.has_value());
    EXPECT_TRUE(as_text(*proof.extra).starts_with("age-v1.2.1-darwin-arm64.tar.gz"));
  }
}

// The body of C2SP tlog-witness add-checkpoint, as far as this layer answers it: 200 and 422 are
// the consistency proof, 400 is the size; 404 is an unknown log and 409 the witness's own state.
TEST(Checkpoint, C2spAddCheckpoint) {
  PSEPHOS_LOAD_VECTORS(items, "c2sp_tlog.json", "add_checkpoint");
  for (const Field& item : items.array()) {
    SCOPED_TRACE(item["name"].str());
    const auto known = verifiers(item["vkeys"]);
    const std::string body = item["body"].str();
    const auto head_end = body.find("\n\n");
    std::vector<Digest32> proof;
    std::string old_size;
    for (std::size_t at = 0; at <= head_end;) {
      const auto end = body.find('\n', at);
      const std::string line = body.substr(at, end - at);
      if (at == 0) {
        ASSERT_TRUE(line.starts_with("old "));
        old_size = line.substr(4);
      } else {
        Digest32 hash;
        std::ranges::copy(must(unbase64(line)), hash.begin());
        proof.push_back(hash);
      }
      at = end + 1;
    }
    const Note note = must(Note::parse(body.substr(head_end + 2)));
    const Checkpoint newer = must(Checkpoint::parse(note.text));
    const Note old_note = must(Note::parse(item["old_checkpoint"].str()));
    const Checkpoint older = must(Checkpoint::parse(old_note.text));
    EXPECT_EQ(older.origin, newer.origin);
    const auto consistent = verify_consistency(older.tree, newer.tree, proof);
    const bool signed_by_known_log = note.verified_by(known).has_value();
    const bool same_size = old_size == std::to_string(older.tree.size);
    switch (item["status"].u64()) {
      case 200:
        EXPECT_TRUE(is_ok(consistent));
        EXPECT_TRUE(signed_by_known_log && same_size);
        break;
      case 400:  // the old size is above the new one
        EXPECT_GT(std::stoull(old_size), newer.tree.size);
        EXPECT_TRUE(fails_with(
            Errc::rejected,
            verify_consistency({std::stoull(old_size), older.tree.root}, newer.tree, proof)));
        break;
      case 404:
        EXPECT_FALSE(signed_by_known_log);
        break;
      case 409:
        EXPECT_FALSE(same_size);
        EXPECT_TRUE(fails_with(
            Errc::rejected,
            verify_consistency({std::stoull(old_size), older.tree.root}, newer.tree, proof)));
        break;
      case 422:
        EXPECT_TRUE(fails_with(Errc::rejected, consistent));
        EXPECT_TRUE(signed_by_known_log && same_size);
        break;
      default:
        ADD_FAILURE() << "unknown status";
    }
  }
}

// A log written by other software (Tessera), made again byte for byte.
TEST(Checkpoint, TesseraLog) {
  PSEPHOS_LOAD_VECTORS(log, "c2sp_tlog.json", "tessera_log");
  log.ignore("source", "prose");
  const NoteSigner signer = must(NoteSigner::parse_for_testing(log["skey"].str()));
  EXPECT_EQ(signer.verifier().vkey(), log["vkey"].str());

  std::map<std::string, Bytes> files;
  TileStream stream([&](unsigned level, const TileId& id, ByteView hashes) -> Result<void> {
    files[tile_path(level, id)] = Bytes(hashes.begin(), hashes.end());
    return {};
  });
  std::vector<Bytes> entries;
  std::vector<std::string> checkpoints;
  MerkleFrontier frontier;
  const auto publish = [&] {
    const Checkpoint checkpoint{signer.verifier().name(), frontier.head(), {}};
    checkpoints.push_back(must(signer.sign(checkpoint.print())));
    EXPECT_EQ(must(Checkpoint::parse(checkpoint.print())).tree, frontier.head());
  };
  publish();
  for (const Field& entry : log["entries"].array()) {
    const std::string text = entry.str();
    entries.emplace_back(text.begin(), text.end());
    frontier.append(merkle_leaf(entries.back()));
    must(stream.append(merkle_leaf(entries.back())));
    must(stream.partials());
    files[bundle_path({0, static_cast<std::uint32_t>(entries.size())})] =
        must(encode_bundle(entries));
    publish();
  }
  const auto expected_files = log["files"].members();
  for (const auto& [path, bytes] : expected_files) {
    EXPECT_EQ(files[path], bytes.hex()) << path;
  }
  EXPECT_EQ(files.size(), expected_files.size());
  const auto expected_checkpoints = log["checkpoints"].members();
  for (const auto& [size, text] : expected_checkpoints) {
    EXPECT_EQ(checkpoints.at(std::stoul(size)), text.str());
    EXPECT_TRUE(is_ok(open(text.str(), std::vector{signer.verifier()})));
  }
  EXPECT_EQ(checkpoints.size(), expected_checkpoints.size());
}

// --- names and keys -----------------------------------------------------------------------------

TEST(NoteName, Rules) {
  for (const std::string_view name : {"a", "example.com/log1", "ψῆφος", "a-b_c:d@e", "\u200b"}) {
    EXPECT_TRUE(valid_note_name(name)) << name;
  }
  for (const std::string_view name :
       {"",       " ",      "a b",    " a",     "a ",     "a+b",    "+",      "a\nb",    "a\tb",
        "a\rb",   "a\vb",   "a\fb",   "a\x01",  "a\x1f",  "\xff",   "a\xc2",  "a\u0085", "a\u00a0b",
        "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",  "\u2007",
        "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"}) {
    EXPECT_FALSE(valid_note_name(name)) << name;
  }
  EXPECT_FALSE(valid_note_name(std::string_view("a\0b", 3)));
}

TEST(NoteText, Rules) {
  for (const std::string_view text : {"\n", "a\n", "a\n\nb\n", "ψ\u0085\x7f\n"}) {
    EXPECT_TRUE(valid_note_text(text));
  }
  for (const std::string_view text : {"", "a", "a\nb", "a\t\n", "a\r\n", "\x01\n", "\xff\n"}) {
    EXPECT_FALSE(valid_note_text(text));
  }
}

TEST(NoteVerifier, RefusesOtherTexts) {
  const std::string good = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  EXPECT_EQ(must(NoteVerifier::parse(good)).vkey(), good);
  const Ed25519PublicKey key = must(NoteVerifier::parse(good)).key();
  const auto refused = [](const std::string& vkey) {
    return fails_with(Errc::malformed, NoteVerifier::parse(vkey));
  };
  const auto with_key = [](ByteView typed_key) {
    const Digest32 digest = sha256({as_bytes("n\n"), typed_key});
    return "n+" + hex(ByteView(digest).first(4)) + "+" + base64(typed_key);
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("++"));
  EXPECT_TRUE(refused("example.com/foo"));
  EXPECT_TRUE(refused("example.com/foo+530d903a"));
  EXPECT_TRUE(refused("example.com/foo+530d903a+"));
  EXPECT_TRUE(refused(good.substr(15)));
  EXPECT_TRUE(refused(replaced(good, "530d903a", "530d903b")));
  EXPECT_TRUE(refused(replaced(good, "530d903a", "530D903A")));
  EXPECT_TRUE(refused(replaced(good, "530d903a", "0530d903a")));
  EXPECT_TRUE(refused(replaced(good, "530d903a", "530d903")));
  EXPECT_TRUE(refused(replaced(good, "foo", "fop")));
  EXPECT_TRUE(refused(replaced(good, "foo", "f o")));
  EXPECT_TRUE(refused(good + "\n"));
  EXPECT_TRUE(refused(good + "="));
  EXPECT_TRUE(refused(good + "+x"));
  EXPECT_TRUE(refused(" " + good));
  EXPECT_TRUE(refused("PRIVATE+KEY+example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKa"));
  // Right ids, wrong keys.
  Bytes typed(key.bytes.begin(), key.bytes.end());
  typed.insert(typed.begin(), 1);
  EXPECT_TRUE(is_ok(NoteVerifier::parse(with_key(typed))));
  EXPECT_TRUE(refused(with_key({})));
  EXPECT_TRUE(refused(with_key(ByteView(typed).first(1))));
  EXPECT_TRUE(refused(with_key(ByteView(typed).first(32))));
  typed[0] = 4;
  EXPECT_TRUE(is_ok(NoteVerifier::parse(with_key(typed))));
  for (const int algorithm : {0, 2, 3, 5, 6, 0xff}) {
    typed[0] = static_cast<std::uint8_t>(algorithm);
    EXPECT_TRUE(refused(with_key(typed)));
  }
  Bytes small_order(33);
  small_order[0] = 1;
  EXPECT_TRUE(refused(with_key(small_order)));
  EXPECT_TRUE(
      fails_with(Errc::malformed, NoteVerifier::create("a b", NoteAlgorithm::ed25519, key)));
}

TEST(NoteVerifier, AlgorithmIsPartOfTheId) {
  const Ed25519PublicKey key =
      must(NoteVerifier::parse(
               "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"))
          .key();
  EXPECT_NE(must(NoteVerifier::create("n", NoteAlgorithm::ed25519, key)).id(),
            must(NoteVerifier::create("n", NoteAlgorithm::cosignature_v1, key)).id());
}

TEST(NoteSigner, RefusesOtherPrivateTexts) {
  const std::string good =
      "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
  EXPECT_TRUE(is_ok(NoteSigner::parse_for_testing(good)));
  for (const std::string& bad :
       {std::string(), good.substr(1), good.substr(12), replaced(good, "c74f20a3", "c74f20a4"),
        replaced(good, "c74f20a3", "C74F20A3"), replaced(good, "AYEK", "AoEK"),
        replaced(good, "+AYEK", ""), good + "AAAA", good + "\n",
        replaced(good, "Peter", "Pe er")}) {
    EXPECT_TRUE(fails_with(Errc::malformed, NoteSigner::parse_for_testing(bad))) << bad;
  }
}

// --- notes --------------------------------------------------------------------------------------

// Two logs and a witness, and a checkpoint that the first log and the witness have signed.
class SignedNotes : public testing::Test {
 protected:
  test::SeededRandom random;
  NoteSigner log = must(NoteSigner::create("log.example", Ed25519SecretKey::random(random)));
  NoteSigner other = must(NoteSigner::create("other.example", Ed25519SecretKey::random(random)));
  Ed25519SecretKey witness_key = Ed25519SecretKey::random(random);
  NoteVerifier witness = must(NoteVerifier::create("witness.example", NoteAlgorithm::cosignature_v1,
                                                   witness_key.public_key()));
  const std::string text = Checkpoint{"log.example", {7, sha256({as_bytes("root")})}, {}}.print();
  const std::string line_start = "\u2014 log.example ";

  [[nodiscard]] std::string note() const {
    return must(log.sign(text)) +
           Note::print_signature(must(cosign(text, witness, witness_key, 1234567890)));
  }
};

TEST_F(SignedNotes, VerifiedByNamesThePositions) {
  const Note parsed = must(Note::parse(note()));
  const std::vector known = {other.verifier(), witness, log.verifier()};
  EXPECT_EQ(must(parsed.verified_by(known)), (std::vector<std::size_t>{1, 2}));
  EXPECT_EQ(must(parsed.verified_by(std::span(known).subspan(2))), (std::vector<std::size_t>{0}));
  EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by(std::span(known).first(1))));
  EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by({})));
}

TEST_F(SignedNotes, AKnownKeysBadSignatureSpoilsTheNote) {
  Note parsed = must(Note::parse(note()));
  const std::vector known = {witness, log.verifier()};
  for (NoteSignature& signature : parsed.signatures) {
    const Bytes good = signature.signature;
    for (const std::size_t at : {std::size_t{0}, good.size() - 1}) {
      signature.signature[at] ^= 1;
      EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by(known)));
      signature.signature = good;
    }
    signature.signature.pop_back();
    EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by(known)));
    signature.signature = good;
    signature.signature.push_back(0);
    EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by(known)));
    signature.signature = {1};
    EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by(known)));
    signature.signature = good;
  }
  EXPECT_TRUE(is_ok(parsed.verified_by(known)));
  parsed.text = flip(parsed.text, 0);
  EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by(known)));
}

TEST_F(SignedNotes, SecondSignatureByTheSameKeyMustBeGoodToo) {
  Note parsed = must(Note::parse(note()));
  const std::vector known = {witness, log.verifier()};
  parsed.signatures.push_back(must(cosign(text, witness, witness_key, 1234567891)));
  parsed.signatures.push_back(parsed.signatures[0]);
  EXPECT_EQ(must(parsed.verified_by(known)), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(must(Note::parse(parsed.print())).print(), parsed.print());
  parsed.signatures.back().signature[3] ^= 4;
  EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by(known)));
}

TEST_F(SignedNotes, UnknownKeysMayShareANameOrAnId) {
  Note parsed = must(Note::parse(note()));
  const std::vector known = {log.verifier()};
  NoteSignature stranger = parsed.signatures[0];
  stranger.signature.assign(64, 0);
  stranger.id ^= 1;
  parsed.signatures.push_back(stranger);
  stranger = {"stranger.example", log.verifier().id(), Bytes(3)};
  parsed.signatures.push_back(stranger);
  EXPECT_EQ(must(parsed.verified_by(known)), (std::vector<std::size_t>{0}));
  EXPECT_EQ(must(Note::parse(parsed.print())).print(), parsed.print());
  stranger.name = "log.example";
  parsed.signatures.push_back(stranger);
  EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by(known)));
}

TEST_F(SignedNotes, CosignatureIsNoLogSignature) {
  // The same key under both algorithms: neither signature stands for the other.
  const NoteVerifier as_witness = must(
      NoteVerifier::create("log.example", NoteAlgorithm::cosignature_v1, log.verifier().key()));
  const Note parsed = must(Note::parse(note()));
  EXPECT_TRUE(fails_with(Errc::rejected, parsed.verified_by(std::vector{as_witness})));
  EXPECT_TRUE(fails_with(Errc::rejected, as_witness.verify(text, parsed.signatures[0].signature)));
  EXPECT_TRUE(
      fails_with(Errc::rejected, log.verifier().verify(text, parsed.signatures[1].signature)));
  EXPECT_TRUE(is_ok(witness.verify(text, parsed.signatures[1].signature)));
  EXPECT_TRUE(
      fails_with(Errc::rejected, witness.verify(text + "x\n", parsed.signatures[1].signature)));
}

TEST_F(SignedNotes, CosigningRefusesWrongKeysTimesAndTexts) {
  constexpr std::uint64_t kLastTime = INT64_MAX;
  EXPECT_TRUE(
      is_ok(witness.verify(text, must(cosign(text, witness, witness_key, kLastTime)).signature)));
  EXPECT_TRUE(is_ok(witness.verify(text, must(cosign(text, witness, witness_key, 0)).signature)));
  EXPECT_TRUE(fails_with(Errc::misuse, cosign(text, witness, witness_key, kLastTime + 1)));
  const Ed25519SecretKey stranger = Ed25519SecretKey::random(random);
  EXPECT_TRUE(fails_with(Errc::misuse, cosign(text, witness, stranger, 1)));
  const NoteVerifier no_witness = must(
      NoteVerifier::create("witness.example", NoteAlgorithm::ed25519, witness_key.public_key()));
  EXPECT_TRUE(fails_with(Errc::misuse, cosign(text, no_witness, witness_key, 1)));
  EXPECT_TRUE(fails_with(Errc::malformed, cosign("just a text\n", witness, witness_key, 1)));
  // A good signature over a time out of range.
  Bytes late(8, 0xff);
  const Ed25519Signature signature = witness_key.sign(as_bytes(cosigned_text(text, UINT64_MAX)));
  late.insert(late.end(), signature.begin(), signature.end());
  EXPECT_TRUE(fails_with(Errc::rejected, witness.verify(text, late)));
}

TEST_F(SignedNotes, SigningRefusesWhatIsNoText) {
  for (const std::string_view bad : {"", "no newline", "tab\t\n", "cr\r\n", "\xff\n"}) {
    EXPECT_TRUE(fails_with(Errc::misuse, log.sign(bad)));
  }
  // Empty lines at the end belong to the text.
  for (const std::string_view good :
       {"\n", "a\n\n", "a\n\n\n", "a\n\n\u2014 log.example AAAAAAA=\n"}) {
    const std::string signed_note = must(log.sign(good));
    EXPECT_EQ(must(open(signed_note, std::vector{log.verifier()})).text, good);
  }
}

TEST_F(SignedNotes, ParsingIsStrict) {
  const std::string good = must(log.sign(text));
  EXPECT_TRUE(is_ok(Note::parse(good)));
  const auto refused = [](const std::string& bad) {
    return fails_with(Errc::malformed, Note::parse(bad));
  };
  const std::string base = good.substr(good.find(line_start) + line_start.size(), 92);
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("\n\n"));
  EXPECT_TRUE(refused(text));
  EXPECT_TRUE(refused(text + "\n"));
  EXPECT_TRUE(refused(good.substr(0, good.size() - 1)));
  EXPECT_TRUE(refused(good + "\n"));
  EXPECT_TRUE(refused(good + "\n\n"));
  EXPECT_TRUE(refused(good + "x\n"));
  EXPECT_TRUE(refused(good + good.substr(0, 5)));
  EXPECT_TRUE(refused(replaced(good, line_start, "- log.example ")));
  EXPECT_TRUE(refused(replaced(good, line_start, "\u2013 log.example ")));  // en dash
  EXPECT_TRUE(refused(replaced(good, line_start, "\u2014log.example ")));
  EXPECT_TRUE(refused(replaced(good, line_start, "\u2014\u00a0log.example ")));
  EXPECT_TRUE(refused(replaced(good, line_start, "\u2014 log.example")));
  EXPECT_TRUE(refused(replaced(good, line_start, "\u2014 ")));
  EXPECT_TRUE(refused(replaced(good, line_start, "\u2014  ")));
  EXPECT_TRUE(refused(replaced(good, line_start, "\u2014 log example ")));
  EXPECT_TRUE(refused(replaced(good, line_start, "\u2014 log+example ")));
  EXPECT_TRUE(refused(replaced(good, line_start, " \u2014 log.example ")));
  EXPECT_TRUE(refused(replaced(good, base, base + " ")));
  EXPECT_TRUE(refused(replaced(good, base, " " + base)));
  EXPECT_TRUE(refused(replaced(good, base, "")));
  EXPECT_TRUE(refused(replaced(good, base, "AAAA")));      // 3 bytes: no id
  EXPECT_TRUE(refused(replaced(good, base, "AAAAAA==")));  // an id alone
  EXPECT_TRUE(is_ok(Note::parse(replaced(good, base, "AAAAAAA="))));
  EXPECT_TRUE(refused(replaced(good, base, "AAAAAAB=")));  // bits after the last byte
  EXPECT_TRUE(refused(replaced(good, base, "AAAAAAA")));
  EXPECT_TRUE(refused(replaced(good, base, "AAAAAAA==")));
  EXPECT_TRUE(refused(replaced(good, base, "AAAA-AA=")));
}

TEST_F(SignedNotes, AtMostAHundredSignatures) {
  Note many = must(Note::parse(must(log.sign(text))));
  many.signatures.resize(100, many.signatures[0]);
  EXPECT_TRUE(is_ok(Note::parse(many.print())));
  many.signatures.push_back(many.signatures[0]);
  EXPECT_TRUE(fails_with(Errc::malformed, Note::parse(many.print())));
}

// Whatever a damaged note parses as, prints back to the same bytes.
TEST_F(SignedNotes, WhatParsesPrintsBack) {
  const LogProof proof{Bytes{1, 2, 3}, 6, std::vector<Digest32>(3), note()};
  const std::string original = proof.print();
  ASSERT_EQ(must(LogProof::parse(original)).print(), original);
  constexpr std::string_view kSpice = "\n \xe2\x80\x94+=A0/\x01\xff";
  std::size_t num_parsed = 0;
  for (std::size_t i = 0; i < test::iterations(20000); ++i) {
    std::string damaged = original;
    for (std::uint64_t n = random.below(3) + 1; n-- > 0;) {
      const std::size_t at = random.below(damaged.size());
      const char spice = kSpice[random.below(kSpice.size())];
      switch (random.below(3)) {
        case 0:
          damaged[at] = spice;
          break;
        case 1:
          damaged.insert(at, 1, spice);
          break;
        default:
          damaged.erase(at, 1);
      }
    }
    if (const auto parsed = LogProof::parse(damaged); parsed.has_value()) {
      EXPECT_EQ(parsed->print(), damaged);
      ++num_parsed;
    }
    const std::string tail = damaged.substr(damaged.find("\n\n") + 1);
    if (const auto parsed = Note::parse(tail); parsed.has_value()) {
      EXPECT_EQ(parsed->print(), tail);
      if (const auto head = Checkpoint::parse(parsed->text); head.has_value()) {
        EXPECT_EQ(head->print(), parsed->text);
      }
    }
  }
  EXPECT_GT(num_parsed, 0U);
}

// --- checkpoints and log proofs -----------------------------------------------------------------

constexpr std::string_view kRoot = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

std::string checkpoint_of(std::string_view size) {
  return "origin\n" + std::string(size) + "\n" + std::string(kRoot) + "\n";
}

TEST(Checkpoint, Sizes) {
  EXPECT_EQ(must(Checkpoint::parse(checkpoint_of("1"))).tree.size, 1U);
  EXPECT_EQ(must(Checkpoint::parse(checkpoint_of("18446744073709551615"))).tree.size, UINT64_MAX);
  for (const std::string_view size :
       {"", "18446744073709551616", "99999999999999999999999", "00", "01", "-0", "-1", "+1", " 1",
        "1 ", "1.0", "0x1", "1e3", "\u0661"}) {
    EXPECT_TRUE(fails_with(Errc::malformed, Checkpoint::parse(checkpoint_of(size)))) << size;
  }
  const std::string empty = Checkpoint{"origin", MerkleFrontier().head(), {}}.print();
  EXPECT_EQ(must(Checkpoint::parse(empty)).tree.size, 0U);
  EXPECT_TRUE(fails_with(Errc::malformed, Checkpoint::parse(checkpoint_of("0"))));
}

TEST(Checkpoint, LinesAndExtensions) {
  const std::string good = checkpoint_of("5");
  const Checkpoint extended = must(Checkpoint::parse(good + "a\nb c+d\n"));
  EXPECT_EQ(extended.extensions, (std::vector<std::string>{"a", "b c+d"}));
  EXPECT_EQ(extended.print(), good + "a\nb c+d\n");
  // An origin need not be a key name.
  EXPECT_EQ(must(Checkpoint::parse("my + log\n1\n" + std::string(kRoot) + "\n")).origin,
            "my + log");
  for (const std::string& bad :
       {std::string(), std::string("\n"), good.substr(0, good.size() - 1), good + "\n", good + "a",
        good + "a\n\n", good + "\na\n", good + "a\tb\n", good + "a\r\n", good + "\xff\n",
        "\n" + good, replaced(good, "A=", "A= "), replaced(good, "A=", "A"),
        replaced(good, "A=", "B="), replaced(good, "AAAA", ""),
        replaced(good, "AAAA", "AAAAAAAA")}) {
    EXPECT_TRUE(fails_with(Errc::malformed, Checkpoint::parse(bad))) << bad;
  }
}

TEST_F(SignedNotes, LogProofIsStrict) {
  const std::string head = "c2sp.org/tlog-proof@v1\n";
  const std::string hash = std::string(kRoot) + "\n";
  const std::string end = "\n" + note();
  const auto read = [](const std::string& proof) { return LogProof::parse(proof); };
  const auto refused = [](const std::string& bad) {
    return fails_with(Errc::malformed, LogProof::parse(bad));
  };
  for (const std::string& good : {
           head + "index 0\n" + end,
           head + "extra \nindex 0\n" + end,
           head + "extra AAEC\nindex 18446744073709551615\n" + hash + hash + end,
       }) {
    EXPECT_EQ(must(read(good)).print(), good);
  }
  EXPECT_FALSE(must(read(head + "index 0\n" + end)).extra.has_value());
  EXPECT_TRUE(must(read(head + "extra \nindex 0\n" + end)).extra.has_value());

  std::string hashes;
  for (int i = 0; i < 63; ++i) {
    hashes += hash;
  }
  EXPECT_EQ(must(read(head + "index 1\n" + hashes + end)).hashes.size(), 63U);
  EXPECT_TRUE(refused(head + "index 1\n" + hashes + hash + end));

  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused(head));
  EXPECT_TRUE(refused("index 0\n" + end));
  EXPECT_TRUE(refused(head + end));
  EXPECT_TRUE(refused("\n" + head + "index 0\n" + end));
  EXPECT_TRUE(refused(head + "index 0" + end));
  EXPECT_TRUE(refused(head + "index 00\n" + end));
  EXPECT_TRUE(refused(head + "index -1\n" + end));
  EXPECT_TRUE(refused(head + "index 18446744073709551616\n" + end));
  EXPECT_TRUE(refused(head + "index  0\n" + end));
  EXPECT_TRUE(refused(head + "index 0 \n" + end));
  EXPECT_TRUE(refused(head + "index 0\r\n" + end));
  EXPECT_TRUE(refused(head + "Index 0\n" + end));
  EXPECT_TRUE(refused(head + "index 0\nindex 0\n" + end));
  EXPECT_TRUE(refused(head + "index 0\nextra AAEC\n" + end));
  EXPECT_TRUE(refused(head + "extra AAEC\nextra AAEC\nindex 0\n" + end));
  EXPECT_TRUE(refused(head + "extra\nindex 0\n" + end));
  EXPECT_TRUE(refused(head + "extra AAE\nindex 0\n" + end));
  EXPECT_TRUE(refused(head + "extra AAF=\nindex 0\n" + end));
  EXPECT_TRUE(refused(head + "index 0\n" + hash.substr(4) + end));
  EXPECT_TRUE(refused(head + "index 0\nAAAA" + hash + end));
  EXPECT_TRUE(refused(head + "index 0\n" + hash + note()));
  EXPECT_TRUE(refused(head + "index 0\n" + hash + "\n" + end));
  EXPECT_TRUE(refused(head + "index 0\n" + hash + "\n"));
  EXPECT_TRUE(refused(head + "index 0\n" + hash + "\n" + text));
  EXPECT_TRUE(refused(head + "index 0\n" + hash + "\n" + must(log.sign("no checkpoint\n"))));
}

}  // namespace
}  // namespace psephos::crypto
