// Sending ballots to a box, and what comes of it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "psephos/error.h"

namespace psephos::load {

struct RunOptions {
  std::string url;
  std::string election;  // id in hex
  std::filesystem::path ballots;
  double rate = 0;  // ballots a second whatever the answers; 0: as fast as they are answered
  double seconds = 60;
  std::size_t connections = 512;
  std::size_t from = 0;            // first ballot
  std::size_t count = 0;           // 0: all there are
  std::filesystem::path receipts;  // kept here, beside those there already
  bool until_lost = false;         // a lost connection ends the run, and is no failure
};

// run prints what was answered how fast. Errc::rejected: an answer was none of 200, 429, 503, or a
// ballot's receipt is another than one that is kept already.
Result<void> run(const RunOptions& options);

struct DisVoteOptions {
  std::string url;
  std::filesystem::path record;
  std::filesystem::path ballots;
  std::size_t from = 0;
  std::size_t votes = 1000;  // and as many reads
  std::size_t connections = 32;
};

// disvote casts votes and asks for the receipt of each by its tracking code, and prints the time of
// all.
Result<void> disvote(const DisVoteOptions& options);

}  // namespace psephos::load
