#include "src/server/phase.h"

namespace psephos::server {

std::string_view name(protocol::MainLog::Phase phase) {
  using enum protocol::MainLog::Phase;
  switch (phase) {
    case empty:
      return "empty";
    case ceremony:
      return "ceremony";
    case ready:
      return "ready";
    case failed:
      return "failed";
    case opened:
      return "opened";
    case voting:
      return "voting";
    case closed:
      return "closed";
    case tallied:
      return "tallied";
    case decrypting:
      return "decrypting";
    case resulting:
      return "resulting";
    case complete:
      return "complete";
  }
  return "unknown";
}

}  // namespace psephos::server
