// Reading a log from a record: checkpoint, entries, proofs. Spec: docs/spec.md §7.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "psephos/crypto/merkle.h"
#include "psephos/crypto/note.h"
#include "psephos/crypto/tile.h"
#include "psephos/protocol/storage.h"

namespace psephos::protocol {

// The hash that stands in front of a log's entry 0.
[[nodiscard]] Digest32 chain_start(std::string_view origin);

// BundleAudit: what chain and tree have of one bundle, found by looking at nothing else.
struct BundleAudit {
  std::uint64_t first = 0;           // index of the first entry
  std::uint32_t size = 0;            // number of entries
  std::optional<Digest32> previous;  // what the first entry begins with; none if it is too short
  Digest32 last{};                   // SHA-256 of the last entry
  Digest32 root{};                   // over the leaves of these entries
  // The first break of chain or level-0 tile inside the bundle.
  std::optional<Error> broken;
};

// LogReader gives access to one log of a record. It trusts nothing: entries are what the bundles
// hold; audit compares them with everything else.
class LogReader {
 public:
  // open reads and parses the checkpoint; its origin must be `origin`. Signatures are not verified
  // here.
  static Result<LogReader> open(const RecordSource& record, std::string log, std::string origin);

  [[nodiscard]] const std::string& log() const { return log_; }
  [[nodiscard]] const crypto::TreeHead& tree() const { return checkpoint_.tree; }
  [[nodiscard]] const crypto::Note& note() const { return note_; }

  // The number of bundles, and one of them: up to 256 whole entries from entry 256·index on. The
  // views point into `storage`.
  [[nodiscard]] std::uint64_t num_bundles() const;
  struct Bundle {
    std::uint64_t first = 0;  // index of the first entry
    Bytes storage;
    std::vector<ByteView> entries;
  };
  [[nodiscard]] Result<Bundle> bundle(std::uint64_t index) const;
  // audit checks the chain inside a bundle and compares its leaves with the tile of level 0.
  [[nodiscard]] BundleAudit audit(const Bundle& bundle) const;
  // One entry, whole.
  [[nodiscard]] Result<Bytes> entry(std::uint64_t index) const;

  [[nodiscard]] Result<std::vector<Digest32>> inclusion_proof(std::uint64_t index) const;
  [[nodiscard]] Result<std::vector<Digest32>> consistency_proof(std::uint64_t old_size) const;
  // Whether the checkpoint's tree begins with an older one: both answers are proved from the tiles
  // against the checkpoint's root, so that tiles nobody has compared with entries cannot give
  // either. Errors: tiles that cannot be read; Errc::malformed: they do not fit the checkpoint, and
  // say nothing about the log.
  [[nodiscard]] Result<bool> continues(const crypto::TreeHead& older) const;
  // tlog-proof of an entry under this checkpoint, with the whole entry as `extra`.
  [[nodiscard]] Result<crypto::LogProof> proof(std::uint64_t index) const;

  // Shows every file this log has in a record, checkpoint, bundles and tiles, until `visit` returns
  // false. Their number is the checkpoint's claim, and may be beyond all bounds.
  void for_each_file(const std::function<bool(const std::string& file)>& visit) const;

 private:
  friend class LogAudit;
  LogReader() = default;
  // Errc::rejected unless a tile of the record holds these hashes.
  [[nodiscard]] Result<void> expect_tile(unsigned level, const crypto::TileId& id,
                                         ByteView hashes) const;
  [[nodiscard]] crypto::NodeReader nodes() const;
  const RecordSource* record_ = nullptr;
  std::string log_;
  std::string origin_;
  crypto::Note note_;
  crypto::Checkpoint checkpoint_;
};

// payload_of strips the hash in front: type ‖ body. Errc::malformed if the entry is too short.
[[nodiscard]] Result<ByteView> payload_of(ByteView entry);

// LogAudit follows a log's bundles in order and checks the chain, the tiles and the root (V4); most
// of the work is LogReader::audit's, each bundle's alone.
class LogAudit {
 public:
  explicit LogAudit(const LogReader& reader);
  // append the next bundle. Errors name the entry or the file; the log is the caller's to name.
  Result<void> append(const BundleAudit& bundle);
  // finish compares the partial tiles above level 0 and the root with the checkpoint's.
  Result<void> finish();

 private:
  const LogReader* reader_;
  Digest32 previous_;
  std::uint64_t size_ = 0;
  // The tree over bundles' roots is the upper part of the tree over entries: RFC 6962 splits both
  // at the same places, also when the last bundle is a partial one.
  crypto::MerkleFrontier frontier_;
  crypto::TileStream upper_tiles_;
};

// verify_checkpoint: the note has exactly the log's signature first, then witnesses' cosignatures
// in the policy's order, nothing else, all good, and at least `quorum` of them. Errc::rejected
// else.
[[nodiscard]] Result<void> verify_checkpoint(const crypto::Note& note,
                                             const crypto::NoteVerifier& log_key,
                                             std::span<const crypto::NoteVerifier> witnesses,
                                             std::uint32_t quorum);

}  // namespace psephos::protocol
