#include <algorithm>
#include <utility>

#include "psephos/protocol/receipt.h"

#include "protocol/verification.h"

namespace psephos::protocol {

void Verification::check_files() {
  const auto files = input_.record.list();
  if (!files.has_value()) {
    add_fault(Check::record, ".", files.error().message);
    return;
  }
  std::set<std::string> unexplained(files->begin(), files->end());
  const auto expect = [&](const std::string& file) {
    const bool is_there = unexplained.erase(file) == 1;
    if (!is_there) {
      add_fault(Check::record, file, "the file is missing");
    }
    return is_there;
  };
  // A log with files missing is not judged further: what it should hold is its checkpoint's claim.
  const auto pass_over = [&](const std::string& log) {
    const auto first = unexplained.lower_bound(log + "/");
    unexplained.erase(first, unexplained.lower_bound(log + "0"));  // '0' follows '/'
  };
  expect(kManifestFile);
  for (const std::string& log : election().log_names()) {
    const auto reader = readers_.find(log);
    if (reader == readers_.end()) {
      expect(log + "/checkpoint");
      pass_over(log);
      continue;
    }
    std::size_t missing = 0;
    reader->second.for_each_file([&](const std::string& file) {
      missing += expect(file) ? 0U : 1U;
      return missing < CheckReport::kMaxFaults;
    });
    if (missing > 0) {
      pass_over(log);
    }
  }
  for (const std::string_view file : {kResultJsonFile, kResultCsvFile}) {
    if (stage_ == Stage::complete) {
      expect(std::string(file));
    }
    unexplained.erase(std::string(file));
  }
  for (const std::string& file : unexplained) {
    add_fault(Check::record, file, "the file does not belong to this record");
  }
  did(Check::record, files->size());
}

void Verification::check_close() {
  const std::optional<Close>& close = main_log_->close();
  if (!close.has_value()) {
    add_fault(Check::order, Manifest::main_log(), "the polls are not closed");
    return;
  }
  const auto compare = [&](const std::string& log, const crypto::TreeHead& tree) {
    if (readers_.at(log).tree() != tree) {
      add_fault(Check::order, log,
                "is not the log that the close names (" + std::to_string(tree.size) +
                    " entries there, " + std::to_string(readers_.at(log).tree().size) + " here)");
    }
  };
  for (std::uint32_t s = 0; s < manifest_->shards; ++s) {
    compare(Manifest::box_log(s), close->boxes[s]);
  }
  for (std::uint32_t r = 0; r < manifest_->num_registrars(); ++r) {
    compare(Manifest::roll_log(r), close->rolls[r]);
  }
}

void Verification::check_issued() {
  for (std::uint32_t r = 0; r < manifest_->num_registrars(); ++r) {
    for (std::uint32_t style = 0; style < manifest_->num_styles(); ++style) {
      if (used_[style] > issued_[r][style]) {
        add_fault(Check::issuance, Manifest::roll_log(r),
                  "style \"" + manifest_->styles[style].id + "\": " + std::to_string(used_[style]) +
                      " credentials used, only " + std::to_string(issued_[r][style]) + " issued");
      }
      const auto announced = main_log_->announced(r, style);
      if (announced.has_value() && issued_[r][style] > *announced) {
        add_fault(Check::issuance, Manifest::roll_log(r),
                  "style \"" + manifest_->styles[style].id +
                      "\": " + std::to_string(issued_[r][style]) + " credentials issued, only " +
                      std::to_string(*announced) + " voters on the roll announced");
      }
    }
  }
  did(Check::issuance, 0);
}

std::vector<Fault> tally_faults(const MainLog& main_log, const Aggregate& aggregate) {
  std::vector<Fault> faults;
  const auto add_fault = [&faults](std::string place, std::string message, std::string rule = {}) {
    faults.push_back({Check::aggregate, std::move(place), std::move(message), std::move(rule)});
  };
  const std::vector<Tally>& found = main_log.tallies();
  const std::vector<Tally> expected = expected_tallies(main_log.manifest(), aggregate);
  for (std::size_t k = 0; k < std::max(found.size(), expected.size()); ++k) {
    const std::string place = "tally " + std::to_string(k);
    if (k >= found.size()) {
      add_fault(place, "is missing");
    } else if (k >= expected.size()) {
      add_fault(place, "opens what the manifest's rules do not open");
    } else if (found[k].contest != expected[k].contest || found[k].unit != expected[k].unit) {
      add_fault(place, "is of another contest or unit than is due");
    } else if (found[k].counted != expected[k].counted) {
      add_fault(place, "says " + std::to_string(found[k].counted) + " ballots; the logs hold " +
                           std::to_string(expected[k].counted));
    } else {
      for (std::size_t option = 0; option < expected[k].sums.size(); ++option) {
        if (found[k].sums[option] != expected[k].sums[option]) {
          add_fault(place,
                    "option " + std::to_string(option + 1) +
                        ": is not the sum of the counted ballots' ciphertexts",
                    "sum");
        }
      }
    }
  }
  return faults;
}

void Verification::check_tallies() {
  if (stage_ == Stage::complete || !main_log_->tallies().empty()) {
    for (Fault& fault : tally_faults(*main_log_, *aggregate_)) {
      add_fault(std::move(fault));
    }
  }
  did(Check::aggregate, main_log_->tallies().size());
}

void Verification::check_decryptions() {
  std::uint64_t count = 0;
  for (std::size_t k = 0; k < main_log_->decryptions().size(); ++k) {
    const std::size_t sent = main_log_->decryptions()[k].size();
    count += sent;
    if (stage_ == Stage::complete && sent < manifest_->threshold) {
      add_fault(Check::decryption, "tally " + std::to_string(k),
                std::to_string(sent) + " valid decryptions; " +
                    std::to_string(manifest_->threshold) + " are needed");
    }
  }
  did(Check::decryption, count);
}

void Verification::check_results() {
  const std::size_t tallies = main_log_->tallies().size();
  if (stage_ == Stage::complete) {
    if (main_log_->results().size() != tallies) {
      add_fault(Check::result, Manifest::main_log(),
                std::to_string(main_log_->results().size()) + " valid results for " +
                    std::to_string(tallies) + " tallies");
      return;
    }
    const auto result = election_result(*main_log_, aggregate_->counted());
    if (!result.has_value()) {
      add_fault(Check::result, Manifest::main_log(), result.error().message);
      return;
    }
    const auto compare = [&](const char* path, const std::string& expected) {
      const auto file = input_.record.read(path, kMaxRecordFileBytes + expected.size());
      if (!file.has_value()) {
        add_fault(Check::result, path, file.error().message);
      } else if (as_text(*file) != expected) {
        add_fault(Check::result, path, "is not what the decrypted totals give");
      }
    };
    compare(kResultJsonFile, result_json(*manifest_, *result));
    compare(kResultCsvFile, result_csv(*manifest_, *result));
  }
  did(Check::result, main_log_->results().size());
}

void Verification::check_checkpoints() {
  for (std::size_t i = 0; i < input_.checkpoints.size(); ++i) {
    const std::string place = "earlier checkpoint " + std::to_string(i + 1);
    const auto judge = [&]() -> Result<void> {
      PSEPHOS_TRY(const crypto::Note note, crypto::Note::parse(input_.checkpoints[i]));
      PSEPHOS_TRY(const crypto::Checkpoint checkpoint, crypto::Checkpoint::parse(note.text));
      for (const auto& [log, reader] : readers_) {
        if (checkpoint.origin != manifest_->log_origin(log)) {
          continue;
        }
        PSEPHOS_TRY(const crypto::NoteVerifier key, election().log_verifier(log));
        PSEPHOS_CHECK_OK(note.verified_by(std::span(&key, 1)));
        if (checkpoint.tree.size > reader.tree().size) {
          return fail(Errc::rejected, "the log has fewer entries now than it had then");
        }
        PSEPHOS_TRY(const bool continues, reader.continues(checkpoint.tree));
        if (!continues) {
          return fail(Errc::rejected, "the log does not continue the one of this checkpoint");
        }
        return {};
      }
      return fail(Errc::rejected, "is of no log of this record: \"" + checkpoint.origin + "\"");
    };
    if (auto judged = judge(); !judged.has_value()) {
      add_fault(Check::logs, place, judged.error().message);
    }
  }
}

void Verification::check_receipts() {
  for (std::size_t i = 0; i < input_.receipts.size(); ++i) {
    const auto judge = [&]() -> Result<void> {
      // What proves nothing by itself is refused too: the auditor should know.
      PSEPHOS_TRY(const BoxReceipt receipt, BoxReceipt::read(election(), input_.receipts[i]));
      return check_receipt(readers_.at(Manifest::box_log(receipt.shard)), receipt.promise);
    };
    if (auto judged = judge(); !judged.has_value()) {
      add_fault(Check::receipts, "receipt " + std::to_string(i + 1), judged.error().message);
    }
  }
  did(Check::receipts, input_.receipts.size());
}

}  // namespace psephos::protocol
