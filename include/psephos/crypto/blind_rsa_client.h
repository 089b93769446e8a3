// RSABSSA (RFC 9474), the client's secrets: preparing, blinding and finalising. Spec: docs/spec.md
// §6.1.
#pragma once

#include "psephos/crypto/blind_rsa.h"
#include "psephos/random.h"
#include "psephos/secret.h"

namespace psephos::crypto {

// BlindedMessage is what the client sends, and the secret it keeps to unblind the answer.
struct BlindedMessage {
  Bytes blinded_message;  // modulus_bytes
  SecretBuffer inverse;   // r^−1 mod n, modulus_bytes; the blinding secret
};

// prepare returns prefix ‖ message with a fresh prefix (RFC 9474 §4.1); the message itself for the
// deterministic variants.
[[nodiscard]] Bytes prepare(BlindRsaVariant variant, ByteView message, Random& random);

// blind encodes input_message (EMSA-PSS with a fresh salt) and blinds it (RFC 9474 §4.2).
[[nodiscard]] Result<BlindedMessage> blind(const RsaPublicKey& key, BlindRsaVariant variant,
                                           ByteView input_message, Random& random);

// blind_with_for_testing takes the salt and the blinding factor r (modulus_bytes, big-endian) from
// known-answer vectors.
[[nodiscard]] Result<BlindedMessage> blind_with_for_testing(const RsaPublicKey& key,
                                                            BlindRsaVariant variant,
                                                            ByteView input_message, ByteView salt,
                                                            ByteView blinding_factor);

// finalize unblinds the signer's answer and verifies the result (RFC 9474 §4.4). Errc::rejected if
// the signature does not verify: the signer or the channel is at fault.
[[nodiscard]] Result<Bytes> finalize(const RsaPublicKey& key, BlindRsaVariant variant,
                                     ByteView input_message, ByteView blind_signature,
                                     const SecretBuffer& inverse);

// pss_encode is EMSA-PSS-ENCODE (RFC 8017 §9.1.1) with SHA-384 for a modulus of modulus_bits; here
// because OpenSSL's own takes no salt and so could not be tested against the RFC's vectors.
[[nodiscard]] Result<Bytes> pss_encode(ByteView message, ByteView salt, std::size_t modulus_bits);

}  // namespace psephos::crypto
