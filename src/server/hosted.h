// An election, with what this process does for it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/http/events.h"
#include "src/server/box_service.h"
#include "src/server/config.h"
#include "src/server/election_record.h"
#include "src/server/registrar_service.h"

namespace psephos::server {

class BoardService;

struct HostedRegistrar {
  std::optional<OidcConfig> oidc;  // what wallets are told
  std::unique_ptr<RegistrarService> service;
};

struct Hosted {
  std::size_t number = 0;  // position in the configuration
  std::shared_ptr<ElectionRecord> record;
  std::unique_ptr<BoxService> box;          // null: not in this process
  std::vector<HostedRegistrar> registrars;  // those of this process
  std::unique_ptr<BoardService> board;      // null: not in this process

  [[nodiscard]] bool healthy() const {
    bool all = box == nullptr || box->healthy();
    for (const HostedRegistrar& one : registrars) {
      all = all && one.service->healthy();
    }
    return all;
  }
  // Whether box or a registrar of this process takes nothing at the moment.
  [[nodiscard]] bool stopped() const {
    bool any = box != nullptr && box->stopped();
    for (const HostedRegistrar& one : registrars) {
      any = any || one.service->stopped();
    }
    return any;
  }
};

}  // namespace psephos::server
