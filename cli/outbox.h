// What a wallet still has to send to the box, and what becomes of it.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "psephos/error.h"
#include "psephos/protocol/opening.h"
#include "psephos/protocol/wallet.h"

#include "cli/remote.h"

namespace psephos::cli {

struct Delivered {
  std::size_t position = 0;  // in Wallet::sent
  bool accepted = false;
  std::string reason;  // in words, if it was refused
};

struct Delivery {
  std::vector<Delivered> answered;
  std::size_t waiting = 0;  // entries that are still to be sent
  // Why they wait. Errc::environment: the server cannot be reached, or is busy; Errc::rejected or
  // malformed: it takes none, or answers what a box would not say.
  std::optional<Error> stopped;
};

// deliver sends all that has no answer, oldest first: a later vote must not overtake an earlier
// one. Good receipts and refusals are kept in the wallet, which `save` writes each time. Sending
// again what was sent before does no harm: the box gives the same answer. Errors: an answer that
// the wallet does not take, or those of `save`; what was answered then is asked for again.
[[nodiscard]] Result<Delivery> deliver(const Server& server, const protocol::Election& election,
                                       protocol::Wallet& wallet,
                                       const std::function<Result<void>()>& save);

}  // namespace psephos::cli
