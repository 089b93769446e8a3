// What the voter's commands share: those that exchange files and those that speak to a server.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "psephos/protocol/opening.h"
#include "psephos/protocol/wallet.h"
#include "psephos/secret.h"

#include "cli/common.h"

namespace psephos::cli {

struct VoterOptions {
  std::string record;
  std::string wallet;
  std::string style;
  std::string voter;
  std::vector<std::string> codes;  // one for each registrar, or N=CODE
  std::string code_file;
  std::string code;
  std::string out;
  std::vector<std::string> responses;
  std::vector<std::string> choices;
  bool again = false;
  // With a server.
  std::string server;
  std::string election;  // hex
  std::string ca_file;
  std::vector<std::string> registrar_urls;  // N=URL
  std::string receipts;                     // directory
  std::string evidence;                     // directory
  bool no_browser = false;
  bool offline = false;
};

// A wallet at work: locked, so that no other process uses the same randomness; a new one has no
// file yet, and no lock.
struct OpenWallet {
  std::optional<Lock> lock;
  protocol::Wallet wallet;
  [[nodiscard]] bool is_new() const { return !lock.has_value(); }
};
[[nodiscard]] Result<OpenWallet> open_wallet(const Context& context, const VoterOptions& options,
                                             const protocol::Election& election);
// join_wallet opens a wallet that is to be enrolled, or makes one. Without a style named, it is the
// wallet's or the election's only one.
[[nodiscard]] Result<OpenWallet> join_wallet(Context& context, const VoterOptions& options,
                                             const protocol::Election& election);
// save writes the wallet, which stays locked.
[[nodiscard]] Result<void> save(Context& context, const VoterOptions& options, OpenWallet& opened);

// The one-time codes given, by registrar; empty if none were. No two registrars get one code: who
// has a voter's code can enrol in their place.
using Codes = std::map<std::uint32_t, SecretBuffer>;
[[nodiscard]] bool gives_codes(const VoterOptions& options);
[[nodiscard]] Result<Codes> read_codes(const VoterOptions& options,
                                       const protocol::Manifest& manifest);

// The election for a vote, which a box takes while the polls are open. What waits in the wallet, or
// behind a server, may be made before: the copy of the record does not know of today.
enum class Polls : std::uint8_t { open, may_open_later };
[[nodiscard]] Result<std::shared_ptr<const protocol::Election>> load_open_election(
    const Context& context, const runtime::DirectoryRecord& record, Polls polls);

// The commands with a server; also to cast for later, without one.
enum class Decision : std::uint8_t { cast, challenge };
[[nodiscard]] Result<int> enrol_online(Context& context, const VoterOptions& options);
[[nodiscard]] Result<int> send_online(Context& context, Decision decision,
                                      const VoterOptions& options);
[[nodiscard]] Result<int> sync(Context& context, const VoterOptions& options);
[[nodiscard]] Result<int> track_online(Context& context, const VoterOptions& options);

}  // namespace psephos::cli
