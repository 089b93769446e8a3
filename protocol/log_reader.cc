#include "psephos/protocol/log_reader.h"

#include <algorithm>

#include "psephos/crypto/hash.h"

#include "protocol/labels.h"

namespace psephos::protocol {

namespace {

constexpr std::size_t kDigestBytes = 32;
constexpr std::uint64_t kMaxLogEntries = std::uint64_t{1} << 52;

std::string in_log(const std::string& log, const std::string& file) { return log + "/" + file; }

// The widths of the bundles or tiles of one level of a tree: `full` full ones, then a partial one.
crypto::TileId tile_id(std::uint64_t index, const crypto::TileShape& shape) {
  return {index,
          index < shape.full ? static_cast<std::uint32_t>(crypto::kTileWidth) : shape.partial};
}

std::string entry_place(std::uint64_t index) { return "entry " + std::to_string(index); }

std::uint64_t num_tiles(const crypto::TileShape& shape) {
  return shape.full + (shape.partial > 0 ? 1 : 0);
}

}  // namespace

Digest32 chain_start(std::string_view origin) {
  return crypto::sha256({as_bytes(labels::kLog), as_bytes(origin)});
}

Result<LogReader> LogReader::open(const RecordSource& record, std::string log, std::string origin) {
  LogReader reader;
  const std::string path = in_log(log, "checkpoint");
  PSEPHOS_TRY(const Bytes file, record.read(path, kMaxCheckpointBytes));
  auto note = crypto::Note::parse(as_text(file));
  if (!note.has_value()) {
    return within(path, note.error());
  }
  auto checkpoint = crypto::Checkpoint::parse(note->text);
  if (!checkpoint.has_value()) {
    return within(path, checkpoint.error());
  }
  if (checkpoint->origin != origin) {
    return fail(Errc::rejected, path + ": is a checkpoint of the log \"" + checkpoint->origin +
                                    "\", not of \"" + origin + "\"");
  }
  if (checkpoint->tree.size > kMaxLogEntries) {
    return fail(Errc::malformed, path + ": claims " + std::to_string(checkpoint->tree.size) +
                                     " entries; a log has at most 2^52");
  }
  if (!checkpoint->extensions.empty()) {
    return fail(Errc::malformed, path + ": has extension lines; a record's checkpoint has none");
  }
  reader.record_ = &record;
  reader.log_ = std::move(log);
  reader.origin_ = std::move(origin);
  reader.note_ = std::move(*note);
  reader.checkpoint_ = std::move(*checkpoint);
  return reader;
}

std::uint64_t LogReader::num_bundles() const {
  return tree().size / crypto::kTileWidth + (tree().size % crypto::kTileWidth != 0 ? 1 : 0);
}

Result<LogReader::Bundle> LogReader::bundle(std::uint64_t index) const {
  PSEPHOS_CHECK(index < num_bundles());
  const std::uint64_t first = index * crypto::kTileWidth;
  const auto width = static_cast<std::uint32_t>(std::min(crypto::kTileWidth, tree().size - first));
  const std::string path = in_log(log_, crypto::bundle_path({index, width}));
  Bundle bundle;
  bundle.first = first;
  PSEPHOS_TRY(bundle.storage, record_->read(path, kMaxRecordFileBytes));
  auto entries = crypto::decode_bundle(bundle.storage, width);
  if (!entries.has_value()) {
    return within(path, entries.error());
  }
  bundle.entries = std::move(*entries);
  return bundle;
}

Result<void> LogReader::expect_tile(unsigned level, const crypto::TileId& id,
                                    ByteView hashes) const {
  const std::string file = crypto::tile_path(level, id);
  PSEPHOS_TRY(const Bytes tile,
              record_->read(in_log(log_, file), crypto::kTileWidth * kDigestBytes));
  if (!equal(tile, hashes)) {
    return fail(Errc::rejected, file + ": does not hold the hashes of the log's entries");
  }
  return {};
}

BundleAudit LogReader::audit(const Bundle& bundle) const {
  BundleAudit audit{.first = bundle.first,
                    .size = static_cast<std::uint32_t>(bundle.entries.size()),
                    .previous = std::nullopt,
                    .last = {},
                    .root = {},
                    .broken = std::nullopt};
  crypto::MerkleFrontier frontier;
  Bytes leaves;
  for (std::size_t i = 0; i < bundle.entries.size(); ++i) {
    const ByteView entry = bundle.entries[i];
    const auto place = [&] { return entry_place(bundle.first + i); };
    if (auto payload = payload_of(entry); !payload.has_value()) {
      if (!audit.broken.has_value()) {
        audit.broken = within(place(), payload.error()).error();
      }
    } else if (i == 0) {
      std::ranges::copy(entry.first(kDigestBytes), audit.previous.emplace().begin());
    } else if (!audit.broken.has_value() && !equal(entry.first(kDigestBytes), audit.last)) {
      audit.broken = Error{Errc::rejected,
                           place() + ": does not begin with the SHA-256 of the entry before it"};
    }
    audit.last = crypto::sha256({entry});
    const Digest32 leaf = crypto::merkle_leaf(entry);
    frontier.append(leaf);
    leaves.insert(leaves.end(), leaf.begin(), leaf.end());
  }
  audit.root = frontier.head().root;
  const crypto::TileId tile = {bundle.first / crypto::kTileWidth, audit.size};
  if (auto same = expect_tile(0, tile, leaves); !same.has_value() && !audit.broken.has_value()) {
    audit.broken = same.error();
  }
  return audit;
}

Result<Bytes> LogReader::entry(std::uint64_t index) const {
  if (index >= tree().size) {
    return fail(Errc::misuse, log_ + " has " + std::to_string(tree().size) +
                                  " entries; there is no entry " + std::to_string(index));
  }
  PSEPHOS_TRY(const Bundle found, bundle(index / crypto::kTileWidth));
  const ByteView entry = found.entries[index % crypto::kTileWidth];
  return Bytes(entry.begin(), entry.end());
}

crypto::NodeReader LogReader::nodes() const {
  return crypto::nodes_from_tiles(
      tree().size, [this](unsigned level, const crypto::TileId& id) -> Result<Bytes> {
        const std::string path = in_log(log_, crypto::tile_path(level, id));
        PSEPHOS_TRY(Bytes tile, record_->read(path, crypto::kTileWidth * kDigestBytes));
        if (tile.size() != id.width * kDigestBytes) {
          return fail(Errc::malformed, path + ": is " + std::to_string(tile.size()) +
                                           " bytes long, not " +
                                           std::to_string(id.width * kDigestBytes));
        }
        return tile;
      });
}

Result<std::vector<Digest32>> LogReader::inclusion_proof(std::uint64_t index) const {
  return crypto::inclusion_proof(index, tree().size, nodes());
}

Result<std::vector<Digest32>> LogReader::consistency_proof(std::uint64_t old_size) const {
  return crypto::consistency_proof(old_size, tree().size, nodes());
}

Result<bool> LogReader::continues(const crypto::TreeHead& older) const {
  if (older.size == 0) {
    return older == crypto::MerkleFrontier().head();
  }
  if (older.size > tree().size) {
    return false;
  }
  if (older.size == tree().size) {
    return older == tree();
  }
  PSEPHOS_TRY(const std::vector<Digest32> proof, consistency_proof(older.size));
  if (crypto::verify_consistency(older, tree(), proof).has_value()) {
    return true;
  }
  // Another history, or tiles that are not this log's: what the checkpoint does begin with tells.
  PSEPHOS_TRY(const Digest32 root, crypto::root_of(older.size, nodes()));
  if (!crypto::verify_consistency({.size = older.size, .root = root}, tree(), proof).has_value()) {
    return fail(Errc::malformed,
                log_ + ": its tiles do not lead from the first " + std::to_string(older.size) +
                    " entries to the checkpoint over " + std::to_string(tree().size));
  }
  return false;
}

Result<crypto::LogProof> LogReader::proof(std::uint64_t index) const {
  crypto::LogProof proof;
  PSEPHOS_TRY(proof.extra, entry(index));
  proof.index = index;
  PSEPHOS_TRY(proof.hashes, inclusion_proof(index));
  proof.checkpoint = note_.print();
  return proof;
}

void LogReader::for_each_file(const std::function<bool(const std::string& file)>& visit) const {
  if (!visit(in_log(log_, "checkpoint"))) {
    return;
  }
  for (const crypto::TileShape& shape : crypto::tile_shapes(tree().size)) {
    for (std::uint64_t i = 0; i < num_tiles(shape); ++i) {
      const crypto::TileId id = tile_id(i, shape);
      if (!visit(in_log(log_, crypto::tile_path(shape.level, id))) ||
          (shape.level == 0 && !visit(in_log(log_, crypto::bundle_path(id))))) {
        return;
      }
    }
  }
}

Result<ByteView> payload_of(ByteView entry) {
  if (entry.size() <= kDigestBytes) {
    return fail(Errc::malformed,
                "entry of " + std::to_string(entry.size()) + " bytes; the shortest has 33");
  }
  return entry.subspan(kDigestBytes);
}

LogAudit::LogAudit(const LogReader& reader)
    : reader_(&reader),
      previous_(chain_start(reader.origin_)),
      upper_tiles_([this](unsigned level, const crypto::TileId& id, ByteView hashes) {
        return reader_->expect_tile(level + 1, id, hashes);
      }) {}

Result<void> LogAudit::append(const BundleAudit& bundle) {
  PSEPHOS_CHECK(bundle.first == size_);
  if (bundle.previous.has_value() && *bundle.previous != previous_) {
    return fail(Errc::rejected,
                entry_place(size_) + ": does not begin with the SHA-256 of " +
                    (size_ == 0 ? std::string("its log's name") : "the entry before it"));
  }
  if (bundle.broken.has_value()) {
    return std::unexpected(*bundle.broken);
  }
  previous_ = bundle.last;
  size_ += bundle.size;
  frontier_.append(bundle.root);
  if (bundle.size == crypto::kTileWidth) {
    PSEPHOS_CHECK_OK(upper_tiles_.append(bundle.root));
  }
  return {};
}

Result<void> LogAudit::finish() {
  PSEPHOS_CHECK_OK(upper_tiles_.partials());
  if (size_ != reader_->tree().size || frontier_.head().root != reader_->tree().root) {
    return fail(Errc::rejected, "checkpoint: its root is not that of the log's " +
                                    std::to_string(size_) + " entries");
  }
  return {};
}

Result<void> verify_checkpoint(const crypto::Note& note, const crypto::NoteVerifier& log_key,
                               std::span<const crypto::NoteVerifier> witnesses,
                               std::uint32_t quorum) {
  if (note.signatures.empty() || note.signatures.front().name != log_key.name() ||
      note.signatures.front().id != log_key.id()) {
    return fail(Errc::rejected, "checkpoint: its first signature is not by the log's key");
  }
  PSEPHOS_CHECK_OK(log_key.verify(note.text, note.signatures.front().signature));
  std::uint32_t cosignatures = 0;
  std::size_t next_witness = 0;
  for (std::size_t i = 1; i < note.signatures.size(); ++i) {
    const crypto::NoteSignature& signature = note.signatures[i];
    // Cosignatures stand in the policy's order, so the search only goes forward.
    while (next_witness < witnesses.size() && (witnesses[next_witness].name() != signature.name ||
                                               witnesses[next_witness].id() != signature.id)) {
      ++next_witness;
    }
    if (next_witness == witnesses.size()) {
      return fail(Errc::rejected, "checkpoint: signature " + std::to_string(i) + " by \"" +
                                      signature.name +
                                      "\" is by no witness of the manifest, or out of its order");
    }
    PSEPHOS_CHECK_OK(witnesses[next_witness].verify(note.text, signature.signature));
    ++next_witness;
    ++cosignatures;
  }
  if (cosignatures < quorum) {
    return fail(Errc::rejected, "checkpoint: " + std::to_string(cosignatures) +
                                    " witnesses cosigned it; the manifest asks for " +
                                    std::to_string(quorum));
  }
  return {};
}

}  // namespace psephos::protocol
