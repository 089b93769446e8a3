// Pedersen vector commitment Com(u; r) = Σ u_k·G_k + r·H over hashed generators (perfectly hiding,
// binding under discrete logarithm). Committing handles secrets; checking an opening is a linear
// relation and needs no function. Spec: docs/spec.md §4.1.
#pragma once

#include <span>

#include "psephos/crypto/relation.h"
#include "psephos/crypto/secret_scalar.h"

namespace psephos::crypto {

// commit returns Com(u; r). Constant time in u and r, except that a coordinate or r being zero may
// show: for coordinates uniform modulo q or publicly zero; bits go to commit_bits. u may have at
// most as many coordinates as there are generators in bases.
[[nodiscard]] Point commit(const Bases& bases, std::span<const SecretScalar> u,
                           const SecretScalar& r);

// commit_bits is commit for coordinates that are 0 or 1, one byte each. Constant time in them and
// r.
[[nodiscard]] Point commit_bits(const Bases& bases, ByteView secret_bits, const SecretScalar& r);

}  // namespace psephos::crypto
