#include "bench/box_load/check.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <thread>
#include <utility>

#include "psephos/crypto/batch_evaluator.h"
#include "psephos/crypto/hash.h"
#include "psephos/network/http_client.h"
#include "psephos/network/http_record.h"
#include "psephos/protocol/ballot.h"
#include "psephos/protocol/log_reader.h"
#include "psephos/protocol/verify.h"
#include "psephos/random.h"
#include "psephos/runtime/directory.h"

#include "bench/box_load/ballots.h"

namespace psephos::load {

namespace {

using crypto::TreeHead;
using protocol::Manifest;

// One box log, as far as receipts are compared with it.
class CheckedLog {
 public:
  static Result<CheckedLog> read(const protocol::RecordSource& record,
                                 const protocol::Election& election, const std::string& name) {
    CheckedLog log;
    PSEPHOS_TRY(log.key_, election.log_verifier(name));
    PSEPHOS_TRY(const auto reader, protocol::LogReader::open(record, name, log.key_->name()));
    PSEPHOS_CHECK_OK(reader.note().verified_by(std::span(&*log.key_, 1)));
    protocol::LogAudit audit(reader);
    std::set<protocol::CredentialPk> credentials;
    for (std::uint64_t i = 0; i < reader.num_bundles(); ++i) {
      PSEPHOS_TRY(const auto bundle, reader.bundle(i));
      PSEPHOS_CHECK_OK(audit.append(reader.audit(bundle)));
      for (const ByteView entry : bundle.entries) {
        PSEPHOS_TRY(const ByteView payload, protocol::payload_of(entry));
        PSEPHOS_TRY(const auto credential, protocol::peek_credential(payload));
        if (!credentials.insert(credential.pk).second) {
          return fail(Errc::rejected, name + ": a credential stands twice");
        }
        log.entries_.push_back(crypto::sha256({entry}));
        log.payloads_.push_back(crypto::sha256({payload}));
        log.tree_.append(crypto::merkle_leaf(entry));
        log.leaves_.push_back(crypto::merkle_leaf(entry));
      }
    }
    PSEPHOS_CHECK_OK(audit.finish());
    return log;
  }

  // The tree of a note of this log; Errc::rejected if the log does not begin with it.
  Result<TreeHead> known(const std::string& note_text) {
    const auto seen = known_.find(note_text);
    if (seen != known_.end()) {
      return seen->second;
    }
    PSEPHOS_TRY(const auto note, crypto::Note::parse(note_text));
    PSEPHOS_CHECK_OK(note.verified_by(std::span(&*key_, 1)));
    PSEPHOS_TRY(const auto checkpoint, crypto::Checkpoint::parse(note.text));
    const TreeHead& tree = checkpoint.tree;
    if (tree.size > tree_.size()) {
      return fail(Errc::rejected,
                  key_->name() + ": a checkpoint over " + std::to_string(tree.size) +
                      " entries was signed, the log has " + std::to_string(tree_.size()));
    }
    PSEPHOS_TRY(const Digest32 root, crypto::root_of(tree.size, tree_.nodes()));
    if (root != tree.root) {
      return fail(Errc::rejected, key_->name() + ": does not continue its checkpoint over " +
                                      std::to_string(tree.size) + " entries");
    }
    known_.emplace(note_text, tree);
    return tree;
  }

  Result<void> receipt(const crypto::LogProof& proof, ByteView ballot) {
    PSEPHOS_TRY(const TreeHead tree, known(proof.checkpoint));
    if (proof.index >= payloads_.size() || payloads_[proof.index] != crypto::sha256({ballot})) {
      return fail(Errc::rejected, "the log has another entry at its index, or none");
    }
    if (!proof.extra.has_value() || crypto::sha256({*proof.extra}) != entries_[proof.index]) {
      return fail(Errc::rejected, "the receipt is of another entry");
    }
    return crypto::verify_inclusion(proof.index, leaves_[proof.index], tree, proof.hashes);
  }

  [[nodiscard]] const crypto::NoteVerifier& key() const { return *key_; }
  [[nodiscard]] std::size_t size() const { return payloads_.size(); }
  [[nodiscard]] std::size_t num_known() const { return known_.size(); }
  void collect(std::set<Digest32>& payloads) const {
    payloads.insert(payloads_.begin(), payloads_.end());
  }

 private:
  CheckedLog() = default;
  std::optional<crypto::NoteVerifier> key_;
  std::vector<Digest32> entries_;
  std::vector<Digest32> payloads_;
  std::vector<Digest32> leaves_;
  crypto::MerkleTree tree_;
  std::map<std::string, TreeHead> known_;
};

// Notes in one file: each ends with the line after its empty line.
std::vector<std::string> split_notes(std::string_view text) {
  std::vector<std::string> notes;
  while (!text.empty()) {
    const std::size_t gap = text.find("\n\n");
    const std::size_t end =
        gap == std::string_view::npos ? std::string_view::npos : text.find('\n', gap + 2);
    if (end == std::string_view::npos) {
      notes.emplace_back(text);
      break;
    }
    notes.emplace_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return notes;
}

std::string origin_of(std::string_view note) {
  return std::string(note.substr(0, note.find('\n')));
}

}  // namespace

Result<void> check(const CheckOptions& options) {
  PSEPHOS_TRY(const Ballots ballots, Ballots::open(options.ballots));
  PSEPHOS_TRY(const Receipts receipts, read_receipts(options.receipts));
  std::vector<std::pair<std::size_t, crypto::LogProof>> proofs;
  std::map<std::string, std::uint64_t> needed;  // entries, by origin
  for (const auto& [number, text] : receipts) {
    auto proof = crypto::LogProof::parse(text);
    if (!proof.has_value()) {
      return within("the receipt of ballot " + std::to_string(number), proof.error());
    }
    std::uint64_t& size = needed[origin_of(proof->checkpoint)];
    size = std::max(size, proof->index + 1);
    proofs.emplace_back(number, std::move(*proof));
  }

  std::unique_ptr<network::HttpClient> client;
  std::unique_ptr<protocol::RecordSource> record;
  if (network::is_url(options.record)) {
    PSEPHOS_TRY(client, network::BeastHttpClient::create({}));
    PSEPHOS_TRY(record, network::HttpRecord::create(*client, options.record));
  } else {
    record = std::make_unique<runtime::DirectoryRecord>(options.record);
  }
  SystemRandom random;
  const crypto::BatchEvaluator evaluator(random);
  PSEPHOS_TRY(const auto main_log, protocol::read_main_log(*record, evaluator));
  if (main_log->election() == nullptr) {
    return fail(Errc::misuse, options.record + ": the election is not open yet");
  }
  const protocol::Election& election = *main_log->election();

  std::map<std::string, CheckedLog> logs;  // by origin
  const auto patience = std::chrono::steady_clock::now() + options.wait;
  std::set<Digest32> payloads;
  std::size_t entries = 0;
  for (std::uint32_t shard = 0; shard < election.manifest().shards; ++shard) {
    const std::string name = Manifest::box_log(shard);
    const std::string origin = election.manifest().log_origin(name);
    while (true) {
      PSEPHOS_TRY(const auto reader, protocol::LogReader::open(*record, name, origin));
      if (reader.tree().size >= needed[origin] || std::chrono::steady_clock::now() >= patience) {
        break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    PSEPHOS_TRY(CheckedLog log, CheckedLog::read(*record, election, name));
    log.collect(payloads);
    entries += log.size();
    logs.emplace(origin, std::move(log));
  }
  if (payloads.size() != entries) {
    return fail(Errc::rejected, "a ballot stands twice");
  }
  for (const auto& [number, proof] : proofs) {
    const auto log = logs.find(origin_of(proof.checkpoint));
    const auto good = log == logs.end() ? Result<void>(fail(Errc::rejected, "it is of no box log"))
                                        : log->second.receipt(proof, ballots[number]);
    if (!good.has_value()) {
      return within("the receipt of ballot " + std::to_string(number), good.error());
    }
  }
  std::size_t notes = 0;
  for (const auto& path : options.checkpoints) {
    PSEPHOS_TRY(const Bytes file,
                runtime::read_file(path, std::numeric_limits<std::uint32_t>::max()));
    for (const std::string& note : split_notes(as_text(file))) {
      const auto log = logs.find(origin_of(note));
      const auto good = log == logs.end()
                            ? Result<TreeHead>(fail(Errc::rejected, "a note of no box log"))
                            : log->second.known(note);
      if (!good.has_value()) {
        return within(path.string(), good.error());
      }
      ++notes;
    }
  }
  std::size_t trees = 0;
  for (const auto& [origin, log] : logs) {
    trees += log.num_known();
  }
  std::printf(
      "%zu receipts verify and their ballots are among %zu entries, each once; the logs continue "
      "%zu checkpoints (%zu published)\n",
      proofs.size(), entries, trees, notes);
  return {};
}

}  // namespace psephos::load
