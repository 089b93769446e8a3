// The tool for tests, psephos_fast_keys: key files are made quickly and protect poorly.
#include "cli/password_cost.h"

#include "cli/output.h"

namespace psephos::cli {

crypto::PasswordCost password_cost() {
  complain("psephos: warning: this tool is for tests; the file is poorly protected\n");
  return crypto::PasswordCost::minimal;
}

}  // namespace psephos::cli
