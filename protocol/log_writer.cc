#include "psephos/protocol/log_writer.h"

#include <utility>

namespace psephos::protocol {

Result<LogWriter> LogWriter::create(RecordStore& store, std::string log,
                                    std::shared_ptr<const crypto::NoteSigner> signer) {
  PSEPHOS_TRY(LogFiles files, LogFiles::create(store, std::move(log), signer->verifier().name()));
  LogWriter writer(std::move(files), std::move(signer));
  PSEPHOS_CHECK_OK(writer.publish());
  return writer;
}

Result<LogWriter> LogWriter::open(RecordStore& store, std::string log,
                                  std::shared_ptr<const crypto::NoteSigner> signer) {
  PSEPHOS_TRY(LogFiles files, LogFiles::open(store, std::move(log), signer->verifier()));
  return LogWriter(std::move(files), std::move(signer));
}

Result<std::uint64_t> LogWriter::append(ByteView payload) {
  Bytes entry(files_.previous().begin(), files_.previous().end());
  entry.insert(entry.end(), payload.begin(), payload.end());
  return files_.append(std::move(entry));
}

Result<std::string> LogWriter::publish() {
  const crypto::Checkpoint checkpoint{
      .origin = files_.origin(), .tree = files_.tree(), .extensions = {}};
  PSEPHOS_TRY(std::string note, signer_->sign(checkpoint.print()));
  PSEPHOS_CHECK_OK(files_.publish(note));
  return note;
}

}  // namespace psephos::protocol
