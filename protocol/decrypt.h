// The decryption of one tally with a trustee's share. Private to the library: callers come by
// Trustee::decrypt, which wants an audited record.
#pragma once

#include <cstdint>

#include "psephos/crypto/ed25519_signer.h"
#include "psephos/crypto/secret_scalar.h"
#include "psephos/protocol/main_log.h"
#include "psephos/protocol/message.h"
#include "psephos/random.h"

namespace psephos::protocol {

// TrusteeSecrets are borrowed for one call.
struct TrusteeSecrets {
  std::uint32_t trustee;
  const crypto::SecretScalar& share;  // s_j
  const crypto::Ed25519SecretKey& identity;
};

// decrypt_tally: Errc::misuse if the log has no such tally, if it is below the manifest's minimum,
// if this trustee's decryption is there already, or if s_j·G is not the election's S_j.
[[nodiscard]] Result<Message> decrypt_tally(const MainLog& log, std::uint32_t tally,
                                            const TrusteeSecrets& secrets, Random& random);

}  // namespace psephos::protocol
