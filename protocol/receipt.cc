#include "psephos/protocol/receipt.h"

#include <span>
#include <string>
#include <utility>

namespace psephos::protocol {

namespace {

Result<crypto::Checkpoint> checkpoint_of(const crypto::Note& note) {
  return crypto::Checkpoint::parse(note.text);
}

}  // namespace

Result<Receipt> Receipt::open(const crypto::LogProof& proof, const crypto::NoteVerifier& log_key) {
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(proof.checkpoint));
  PSEPHOS_TRY(const crypto::Checkpoint checkpoint, checkpoint_of(note));
  if (checkpoint.origin != log_key.name()) {
    return fail(Errc::rejected, "is for the log \"" + printable(checkpoint.origin) +
                                    "\", not for \"" + log_key.name() + "\"");
  }
  PSEPHOS_CHECK_OK(note.verified_by(std::span(&log_key, 1)));
  if (!proof.extra.has_value()) {
    return fail(Errc::rejected, "does not show its entry");
  }
  if (auto included = crypto::verify_inclusion(proof.index, crypto::merkle_leaf(*proof.extra),
                                               checkpoint.tree, proof.hashes);
      !included.has_value()) {
    return within("does not prove that its entry is in its checkpoint's tree", included.error());
  }
  return Receipt{.entry = *proof.extra, .index = proof.index, .tree = checkpoint.tree};
}

Result<void> check_receipt(const LogReader& reader, const Receipt& receipt) {
  if (receipt.tree.size > reader.tree().size) {
    return fail(Errc::rejected, "its checkpoint promises " + std::to_string(receipt.tree.size) +
                                    " entries; the record's log has only " +
                                    std::to_string(reader.tree().size));
  }
  PSEPHOS_TRY(const bool continues, reader.continues(receipt.tree));
  if (!continues) {
    return fail(Errc::rejected,
                "the record's log does not continue the log of the receipt's checkpoint");
  }
  PSEPHOS_TRY(const Bytes entry, reader.entry(receipt.index));
  if (!equal(entry, receipt.entry)) {
    return fail(Errc::rejected,
                "the record holds another entry at index " + std::to_string(receipt.index));
  }
  return {};
}

Result<BoxReceipt> BoxReceipt::read(const Election& election, std::string_view text) {
  PSEPHOS_TRY(const crypto::LogProof proof, crypto::LogProof::parse(text));
  PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(proof.checkpoint));
  PSEPHOS_TRY(const crypto::Checkpoint checkpoint, checkpoint_of(note));
  const Manifest& manifest = election.manifest();
  for (std::uint32_t shard = 0; shard < manifest.shards; ++shard) {
    const std::string log = Manifest::box_log(shard);
    if (manifest.log_origin(log) != checkpoint.origin) {
      continue;
    }
    PSEPHOS_TRY(const crypto::NoteVerifier key, election.log_verifier(log));
    PSEPHOS_TRY(Receipt promise, Receipt::open(proof, key));
    return BoxReceipt{.shard = shard, .promise = std::move(promise)};
  }
  return fail(Errc::rejected, "is for the log \"" + printable(checkpoint.origin) +
                                  "\", which is no box log of this election");
}

}  // namespace psephos::protocol
