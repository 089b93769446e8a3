#include "psephos/protocol/log.h"

#include <limits>
#include <utility>

#include "psephos/crypto/hash.h"
#include "psephos/crypto/note.h"
#include "psephos/crypto/tile.h"
#include "psephos/protocol/check.h"
#include "psephos/protocol/log_reader.h"

namespace psephos::protocol {

namespace {

// The tree of a checkpoint; Errc::rejected if it is of another log.
Result<crypto::TreeHead> tree_of(const crypto::Note& note, const std::string& origin) {
  PSEPHOS_TRY(const crypto::Checkpoint parsed, crypto::Checkpoint::parse(note.text));
  if (parsed.origin != origin) {
    return fail(Errc::rejected,
                "the checkpoint is of " + printable(parsed.origin) + ", not of " + origin);
  }
  return parsed.tree;
}

// The same of one that this key has signed.
Result<crypto::TreeHead> signed_tree(std::string_view checkpoint, const crypto::NoteVerifier& key) {
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(checkpoint));
  PSEPHOS_CHECK_OK(note.verified_by(std::span(&key, 1)));
  return tree_of(note, key.name());
}

Result<std::string> sign(const crypto::TreeHead& tree, const crypto::NoteSigner& signer) {
  return signer.sign(crypto::Checkpoint{
      .origin = signer.verifier().name(),
      .tree = tree,
      .extensions = {}}.print());
}

// Compares a log in a store with its newest checkpoint, signed by `key`, and returns that tree.
// Each entry is shown when it is known to follow the one before.
Result<crypto::TreeHead> compare(const LogStore& store, const std::string& log,
                                 const crypto::NoteVerifier& key, const LogStore::Visit& visit) {
  PSEPHOS_TRY(const auto newest, store.checkpoint(log));
  if (!newest.has_value()) {
    return fail(Errc::misuse, log + ": there is no such log in the store");
  }
  const auto tree = signed_tree(*newest, key);
  if (!tree.has_value()) {
    return within(log + ": the newest checkpoint", tree.error());
  }
  Digest32 previous = chain_start(key.name());
  crypto::MerkleFrontier frontier;
  const auto take = [&](std::uint64_t index, ByteView entry) -> Result<void> {
    const std::string place = entry_place(log, index);
    if (index != frontier.size()) {
      return fail(Errc::rejected, place + ": entry " + std::to_string(frontier.size()) +
                                      " is missing in the store");
    }
    if (entry.size() <= previous.size() || !equal(entry.first(previous.size()), previous)) {
      return fail(Errc::rejected, place + ": does not begin with the hash of the one before");
    }
    previous = crypto::sha256({entry});
    frontier.append(crypto::merkle_leaf(entry));
    return visit(index, entry);
  };
  PSEPHOS_CHECK_OK(store.for_each_entry(log, 0, std::numeric_limits<std::uint64_t>::max(), take));
  const crypto::TreeHead found = frontier.head();
  if (found != *tree) {
    return fail(Errc::rejected, log + ": the store holds " + std::to_string(found.size) +
                                    " entries with the root " + base64(found.root) +
                                    ", the newest checkpoint has signed " +
                                    std::to_string(tree->size) + " with " + base64(tree->root) +
                                    ": the store was damaged or changed");
  }
  return *tree;
}

}  // namespace

Log::Log(std::string log, std::shared_ptr<const crypto::NoteSigner> signer)
    : log_(std::move(log)),
      signer_(std::move(signer)),
      previous_(chain_start(signer_->verifier().name())) {}

Result<LogBatch> Log::create(std::string log, const crypto::NoteSigner& signer) {
  PSEPHOS_TRY(std::string checkpoint, sign(crypto::MerkleTree().head(), signer));
  return LogBatch{
      .log = std::move(log), .first = 0, .entries = {}, .checkpoint = std::move(checkpoint)};
}

Result<Log> Log::open(const LogStore& store, std::string log,
                      std::shared_ptr<const crypto::NoteSigner> signer, const Visit& visit) {
  Log result(std::move(log), std::move(signer));
  const auto take = [&](std::uint64_t index, ByteView entry) -> Result<void> {
    result.take(entry);
    return visit(index, entry.subspan(result.previous_.size()));
  };
  PSEPHOS_CHECK_OK(compare(store, result.log_, result.signer_->verifier(), take));
  return result;
}

Result<crypto::TreeHead> Log::check(const LogStore& store, const std::string& log,
                                    const crypto::NoteVerifier& key) {
  crypto::MerkleTree tree;
  const auto take = [&tree](std::uint64_t /*index*/, ByteView entry) {
    tree.append(crypto::merkle_leaf(entry));
    return Result<void>();
  };
  PSEPHOS_TRY(const crypto::TreeHead newest, compare(store, log, key, take));
  // What receipts are under: for each entry, the oldest checkpoint over it.
  for (std::uint64_t size = 0; size < newest.size;) {
    const std::string place = log + ": the checkpoint over entry " + std::to_string(size);
    PSEPHOS_TRY(const std::string checkpoint, store.checkpoint_over(log, size));
    const auto older = signed_tree(checkpoint, key);
    if (!older.has_value()) {
      return within(place, older.error());
    }
    if (older->size <= size || older->size > newest.size) {
      return fail(Errc::rejected, place + " is over " + std::to_string(older->size));
    }
    PSEPHOS_TRY(const Digest32 root, crypto::root_of(older->size, tree.nodes()));
    if (root != older->root) {
      return fail(Errc::rejected, place + " has signed another beginning of the log");
    }
    size = older->size;
  }
  return newest;
}

void Log::take(ByteView entry) {
  previous_ = crypto::sha256({entry});
  tree_.append(crypto::merkle_leaf(entry));
}

Result<std::uint64_t> Log::append(ByteView payload, Bytes key, std::optional<Digest32> code) {
  Bytes entry(previous_.begin(), previous_.end());
  entry.insert(entry.end(), payload.begin(), payload.end());
  if (payload.empty() || entry.size() > crypto::kMaxEntryBytes) {
    return fail(Errc::misuse, log_ + ": an entry of " + std::to_string(entry.size()) +
                                  " bytes; it must have 33 to 65535");
  }
  const std::uint64_t index = size();
  take(entry);
  unsealed_.push_back({.bytes = std::move(entry), .key = std::move(key), .code = code});
  return index;
}

Result<LogBatch> Log::seal() {
  PSEPHOS_TRY(std::string checkpoint, sign(tree(), *signer_));
  const std::uint64_t first = size() - unsealed_.size();
  return LogBatch{.log = log_,
                  .first = first,
                  .entries = std::exchange(unsealed_, {}),
                  .checkpoint = std::move(checkpoint)};
}

Result<crypto::LogProof> Log::proof(std::uint64_t index, ByteView entry,
                                    std::string checkpoint) const {
  PSEPHOS_TRY(const crypto::TreeHead tree, signed_tree(checkpoint, signer_->verifier()));
  if (tree.size > size()) {
    return fail(Errc::misuse, log_ + ": the checkpoint is of a larger log");
  }
  PSEPHOS_TRY(const Digest32 root, crypto::root_of(tree.size, tree_.nodes()));
  if (root != tree.root) {
    return fail(Errc::rejected, log_ + ": the checkpoint of " + std::to_string(tree.size) +
                                    " entries is not one of this log");
  }
  if (index >= tree.size) {
    return fail(Errc::misuse,
                entry_place(log_, index) + ": the checkpoint's tree does not hold it");
  }
  PSEPHOS_TRY(const Digest32 leaf, tree_.nodes()(0, index));
  if (leaf != crypto::merkle_leaf(entry)) {
    return fail(Errc::rejected, entry_place(log_, index) +
                                    ": the store holds another entry than the log: it was damaged "
                                    "or changed");
  }
  return proof_under(tree.size, index, entry, std::move(checkpoint));
}

Result<crypto::LogProof> Log::proof_under(std::uint64_t tree_size, std::uint64_t index,
                                          ByteView entry, std::string checkpoint) const {
  PSEPHOS_TRY(auto hashes, crypto::inclusion_proof(index, tree_size, tree_.nodes()));
  return crypto::LogProof{.extra = Bytes(entry.begin(), entry.end()),
                          .index = index,
                          .hashes = std::move(hashes),
                          .checkpoint = std::move(checkpoint)};
}

}  // namespace psephos::protocol
