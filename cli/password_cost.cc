#include "cli/password_cost.h"

namespace psephos::cli {

crypto::PasswordCost password_cost() { return crypto::PasswordCost::moderate; }

}  // namespace psephos::cli
