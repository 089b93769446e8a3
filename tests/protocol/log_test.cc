// LogWriter, LogReader, LogAudit, receipts: a log that grows, is read, and survives a dying
// machine.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "psephos/crypto/hash.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/log_writer.h"
#include "psephos/protocol/receipt.h"

#include "tests/support/memory_store.h"
#include "tests/support/seeded_random.h"

namespace psephos::protocol {
namespace {

using test::MemoryStore;

constexpr const char* kOrigin = "test.example/log/box/0";

std::shared_ptr<const crypto::NoteSigner> signer() {
  SecretBytes<32> seed;
  seed.expose_secret()[0] = 7;
  auto made = crypto::NoteSigner::create(kOrigin, crypto::Ed25519SecretKey::from_seed(seed));
  EXPECT_TRUE(made.has_value());
  return std::make_shared<const crypto::NoteSigner>(std::move(*made));
}

Bytes payload(std::uint64_t i) {
  Writer out;
  out.u8(32).u64(i);
  return out.bytes();
}

Result<void> append_some(LogWriter& writer, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    PSEPHOS_CHECK_OK(writer.append(payload(writer.size())));
  }
  PSEPHOS_CHECK_OK(writer.publish());
  return {};
}

// The log is sound, holds payload(0), payload(1), …, and nothing else lies beside it.
void expect_sound(const RecordSource& store, std::uint64_t size) {
  const auto reader = LogReader::open(store, "box/0", kOrigin);
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  ASSERT_EQ(reader->tree().size, size);
  LogAudit audit(*reader);
  for (std::uint64_t b = 0; b < reader->num_bundles(); ++b) {
    const auto bundle = reader->bundle(b);
    ASSERT_TRUE(bundle.has_value()) << bundle.error().message;
    const auto sound = audit.append(reader->audit(*bundle));
    ASSERT_TRUE(sound.has_value()) << sound.error().message;
    for (std::size_t i = 0; i < bundle->entries.size(); ++i) {
      EXPECT_TRUE(equal(payload_of(bundle->entries[i]).value(), payload(bundle->first + i)));
    }
  }
  const auto finished = audit.finish();
  EXPECT_TRUE(finished.has_value()) << finished.error().message;
  std::vector<std::string> files;
  reader->for_each_file([&](const std::string& file) {
    files.push_back(file);
    return true;
  });
  std::ranges::sort(files);
  EXPECT_EQ(store.list().value(), files);
}

TEST(Log, GrowsOverBundlesAndReopens) {
  MemoryStore store;
  auto writer = LogWriter::create(store, "box/0", signer());
  ASSERT_TRUE(writer.has_value());
  expect_sound(store, 0);
  std::uint64_t size = 0;
  for (const std::uint64_t step : {1U, 1U, 253U, 1U, 1U, 255U, 256U, 3U}) {
    ASSERT_TRUE(append_some(*writer, step).has_value());
    size += step;
    expect_sound(store, size);
    writer = LogWriter::open(store, "box/0", signer());
    ASSERT_TRUE(writer.has_value()) << writer.error().message;
    ASSERT_EQ(writer->size(), size);
  }
}

TEST(Log, IsRefusedTwiceOrUnderAnotherKeyOrName) {
  MemoryStore store;
  ASSERT_TRUE(LogWriter::create(store, "box/0", signer()).has_value());
  EXPECT_EQ(LogWriter::create(store, "box/0", signer()).error().code, Errc::misuse);
  SecretBytes<32> other_seed;
  auto other = crypto::NoteSigner::create(kOrigin, crypto::Ed25519SecretKey::from_seed(other_seed));
  EXPECT_FALSE(
      LogWriter::open(store, "box/0", std::make_shared<const crypto::NoteSigner>(std::move(*other)))
          .has_value());
  EXPECT_EQ(LogReader::open(store, "box/0", "test.example/log/box/1").error().code, Errc::rejected);
  EXPECT_FALSE(LogReader::open(store, "box/1", kOrigin).has_value());
}

TEST(Log, RefusesEntriesOfNoOrTooManyBytes) {
  MemoryStore store;
  auto writer = LogWriter::create(store, "box/0", signer());
  EXPECT_EQ(writer->append({}).error().code, Errc::misuse);
  EXPECT_EQ(writer->append(Bytes(65535 - 31)).error().code, Errc::misuse);
  EXPECT_TRUE(writer->append(Bytes(65535 - 32)).has_value());
}

// The machine dies at every single write and removal, with that change lost or done: what the last
// checkpoint promised is there, and the log goes on.
TEST(Log, SurvivesADyingMachineAnywhere) {
  for (const std::uint64_t before : {0U, 3U, 254U, 255U, 256U, 511U}) {
    for (const std::uint64_t step : {1U, 2U, 260U}) {
      for (const auto failure : {MemoryStore::Failure::lost, MemoryStore::Failure::persisted}) {
        for (std::size_t at = 0;; ++at) {
          MemoryStore store;
          {
            auto writer = LogWriter::create(store, "box/0", signer());
            ASSERT_TRUE(append_some(*writer, before).has_value());
            store.fail_at(at, failure);
            const bool survived = append_some(*writer, step).has_value();
            if (survived) {
              expect_sound(store, before + step);
              break;  // there are no more changes to fail at
            }
          }
          MemoryStore disk(store.files());
          auto writer = LogWriter::open(disk, "box/0", signer());
          ASSERT_TRUE(writer.has_value())
              << before << "+" << step << " at " << at << ": " << writer.error().message;
          // Either the old state or the new one; never less than was promised.
          ASSERT_TRUE(writer->size() == before || writer->size() == before + step);
          expect_sound(disk, writer->size());
          ASSERT_TRUE(append_some(*writer, before + step - writer->size() + 1).has_value());
          expect_sound(disk, before + step + 1);
        }
      }
    }
  }
}

TEST(Log, OpenRefusesDamagedFiles) {
  MemoryStore store;
  auto writer = LogWriter::create(store, "box/0", signer());
  ASSERT_TRUE(append_some(*writer, 300).has_value());
  for (const auto& [path, content] : store.files()) {
    auto files = store.files();
    files[path][content.size() / 2] ^= 1;
    MemoryStore damaged(files);
    EXPECT_FALSE(LogWriter::open(damaged, "box/0", signer()).has_value()) << path;
    files.erase(path);
    MemoryStore missing(files);
    EXPECT_FALSE(LogWriter::open(missing, "box/0", signer()).has_value()) << path;
  }
}

TEST(Log, ReceiptsHoldAsLongAsTheLogContinues) {
  MemoryStore store;
  auto writer = LogWriter::create(store, "box/0", signer());
  ASSERT_TRUE(append_some(*writer, 5).has_value());
  const auto key = signer()->verifier();
  const auto receipt = LogReader::open(store, "box/0", kOrigin)->proof(3);
  ASSERT_TRUE(receipt.has_value());
  ASSERT_TRUE(append_some(*writer, 300).has_value());
  const auto reader = LogReader::open(store, "box/0", kOrigin);
  const auto promise = Receipt::open(*receipt, key);
  ASSERT_TRUE(promise.has_value()) << promise.error().message;
  EXPECT_EQ(promise->entry, reader->entry(3).value());
  EXPECT_EQ(promise->index, 3U);
  EXPECT_EQ(promise->tree.size, 5U);
  EXPECT_TRUE(check_receipt(*reader, *promise).has_value());

  const auto refused = [&](const char* what, auto change) {
    crypto::LogProof changed = *receipt;
    change(changed);
    EXPECT_FALSE(Receipt::open(changed, key).has_value()) << what;
  };
  refused("another index", [](auto& r) { r.index = 2; });
  refused("an index outside the tree", [](auto& r) { r.index = 5; });
  refused("no entry", [](auto& r) { r.extra.reset(); });
  refused("another entry", [](auto& r) { r.extra->front() ^= 1; });
  refused("an entry's digest", [](auto& r) {
    const Digest32 digest = crypto::sha256({*r.extra});
    r.extra.emplace(digest.begin(), digest.end());
  });
  refused("a changed proof", [](auto& r) { r.hashes[0][0] ^= 1; });
  refused("a shorter proof", [](auto& r) { r.hashes.pop_back(); });
  refused("a longer proof", [](auto& r) { r.hashes.push_back(r.hashes[0]); });
  refused("an unsigned checkpoint",
          [](auto& r) { r.checkpoint[r.checkpoint.find("\n5\n") + 1] = '4'; });
  // A promise the log has not kept.
  Receipt other_entry = *promise;
  other_entry.entry.back() ^= 1;
  EXPECT_FALSE(check_receipt(*reader, other_entry).has_value());
  Receipt other_place = *promise;
  other_place.index = 2;
  EXPECT_FALSE(check_receipt(*reader, other_place).has_value());
  // A log with another history.
  MemoryStore forked;
  auto other = LogWriter::create(forked, "box/0", signer());
  ASSERT_TRUE(other->append(payload(99)).has_value());
  ASSERT_TRUE(append_some(*other, 9).has_value());
  EXPECT_FALSE(
      check_receipt(LogReader::open(forked, "box/0", kOrigin).value(), *promise).has_value());
  // A log that ends before it.
  MemoryStore shorter;
  auto third = LogWriter::create(shorter, "box/0", signer());
  ASSERT_TRUE(append_some(*third, 4).has_value());
  EXPECT_FALSE(
      check_receipt(LogReader::open(shorter, "box/0", kOrigin).value(), *promise).has_value());
}

TEST(Log, CheckpointSignaturesFollowThePolicy) {
  MemoryStore store;
  ASSERT_TRUE(LogWriter::create(store, "box/0", signer()).has_value());
  const auto note = LogReader::open(store, "box/0", kOrigin)->note();
  const auto key = signer()->verifier();
  test::SeededRandom random;
  std::vector<crypto::NoteVerifier> witnesses;
  std::vector<crypto::NoteSignature> cosignatures;
  for (const char* name : {"w.example/1", "w.example/2", "w.example/3"}) {
    const auto secret = crypto::Ed25519SecretKey::random(random);
    witnesses.push_back(crypto::NoteVerifier::create(name, crypto::NoteAlgorithm::cosignature_v1,
                                                     secret.public_key())
                            .value());
    cosignatures.push_back(crypto::cosign(note.text, witnesses.back(), secret, 1700000000).value());
  }
  const auto with = [&](std::vector<std::size_t> order) {
    crypto::Note cosigned = note;
    for (const std::size_t i : order) {
      cosigned.signatures.push_back(cosignatures[i]);
    }
    return cosigned;
  };
  const auto good = [&](const crypto::Note& n, std::uint32_t quorum) {
    return verify_checkpoint(n, key, witnesses, quorum).has_value();
  };
  EXPECT_TRUE(good(note, 0));
  EXPECT_FALSE(good(note, 1));
  EXPECT_TRUE(good(with({0, 2}), 2));
  EXPECT_FALSE(good(with({0, 2}), 3));
  EXPECT_FALSE(good(with({2, 0}), 1)) << "out of order";
  EXPECT_FALSE(good(with({0, 0}), 2)) << "one witness twice";
  EXPECT_FALSE(verify_checkpoint(with({0}), key, std::span(witnesses).subspan(1), 0).has_value())
      << "a stranger";
  crypto::Note bad = with({0, 1});
  bad.signatures[2].signature.back() ^= 1;
  EXPECT_FALSE(good(bad, 1)) << "a bad cosignature beyond the quorum";
  crypto::Note unsigned_note = with({0});
  unsigned_note.signatures.erase(unsigned_note.signatures.begin());
  EXPECT_FALSE(good(unsigned_note, 1));
}

}  // namespace
}  // namespace psephos::protocol
