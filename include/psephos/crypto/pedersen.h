// Pedersen vector commitment Com(u; r) = Σ u_k·G_k + r·H over hashed generators (perfectly hiding,
// binding under discrete logarithm). Committing handles secrets; checking an opening is a linear
// relation and needs no function. Spec: docs/spec.md §4.1.
#pragma once

#include <span>

#include "psephos/crypto/multiplier.h"
#include "psephos/crypto/relation.h"
#include "psephos/crypto/secret_scalar.h"

namespace psephos::crypto {

// commitment states Com(u; r), for a Multiplier. Constant time in u and r, except that a coordinate
// or r being zero may show: for coordinates uniform modulo q or publicly zero; bits go to
// bits_commitment. Coordinates and r must outlive it.
[[nodiscard]] SecretSum commitment(std::span<const SecretScalar> u, const SecretScalar& r);

// bits_commitment is commitment for coordinates that are 0 or 1, one byte each. Constant time in
// them and r.
[[nodiscard]] SecretSum bits_commitment(ByteView secret_bits, const SecretScalar& r);

// commit and commit_bits compute one by libsodium. There may be at most as many coordinates as
// there are generators in bases.
[[nodiscard]] Point commit(const Bases& bases, std::span<const SecretScalar> u,
                           const SecretScalar& r);
[[nodiscard]] Point commit_bits(const Bases& bases, ByteView secret_bits, const SecretScalar& r);

}  // namespace psephos::crypto
