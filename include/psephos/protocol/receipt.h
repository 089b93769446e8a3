// Receipts: a log's promise, signed and complete, to hold an entry (docs/spec.md §7.5). A receipt
// is judged twice: by itself, which shows that the holder of the log's key has made the promise,
// and against a record, which shows that the promise was kept. Everything here is public.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "psephos/bytes.h"
#include "psephos/crypto/merkle.h"
#include "psephos/crypto/note.h"
#include "psephos/error.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/opening.h"

namespace psephos::protocol {

// The largest entry in base64, hashes and a checkpoint with its cosignatures.
inline constexpr std::size_t kMaxReceiptBytes = std::size_t{160} << 10;

// Receipt is a promise that is good by itself.
struct Receipt {
  Bytes entry;              // whole: previous ‖ type ‖ body
  std::uint64_t index = 0;  // of the entry
  crypto::TreeHead tree;    // that the log's key has signed

  // open: Errc::rejected or malformed unless the checkpoint is the log's and signed by its key, and
  // the proof leads from the entry in `extra` to the root. Whoever has no key of the log cannot
  // make what passes here; what does not pass accuses nobody.
  static Result<Receipt> open(const crypto::LogProof& proof, const crypto::NoteVerifier& log_key);
};

// check_receipt: Errc::rejected unless the record's log begins with the receipt's tree and holds
// its entry. Of the log it reads tiles and one entry only: that they fit its checkpoint is
// LogAudit's to know, before.
[[nodiscard]] Result<void> check_receipt(const LogReader& reader, const Receipt& receipt);

// BoxReceipt is a receipt of a ballot box.
struct BoxReceipt {
  std::uint32_t shard = 0;
  Receipt promise;

  // read: Errc::malformed or rejected unless the text is a good receipt of a box of this election.
  static Result<BoxReceipt> read(const Election& election, std::string_view text);
};

}  // namespace psephos::protocol
