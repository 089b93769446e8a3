// All domain-separation strings and transcript labels of the crypto layer, in one place so that a
// clash can be seen. ASCII, never with a terminating NUL: string_view only.
#pragma once

#include <string_view>

namespace psephos::crypto::labels {

// Prefixes of plain hashes.
inline constexpr std::string_view kGenerator = "psephos/v1/generator";
inline constexpr std::string_view kNonceSeed = "psephos/v1/nonce-seed";
inline constexpr std::string_view kNonce = "psephos/v1/nonce";
inline constexpr std::string_view kShareKey = "psephos/v1/share-key";

// The transcript itself (docs/spec.md §2.3).
inline constexpr std::string_view kTranscript = "psephos/v1";
inline constexpr std::string_view kChallenge = "challenge";

// Proofs about discrete logarithms (docs/spec.md §3.3), inside the caller's transcript.
inline constexpr std::string_view kBases = "bases";
inline constexpr std::string_view kPoints = "points";
inline constexpr std::string_view kCommitments = "commitments";
inline constexpr std::string_view kC = "c";

// Sealed shares (docs/spec.md §5.3).
inline constexpr std::string_view kSealedShare = "sealed-share";
inline constexpr std::string_view kContext = "context";
inline constexpr std::string_view kReceiver = "receiver";

// The ballot proof (docs/spec.md §4.3).
inline constexpr std::string_view kBallot = "ballot";
inline constexpr std::string_view kElection = "election";
inline constexpr std::string_view kStyle = "style";
inline constexpr std::string_view kCredential = "credential";
inline constexpr std::string_view kSequence = "sequence";
inline constexpr std::string_view kCiphertexts = "ciphertexts";
inline constexpr std::string_view kBits = "bits";
inline constexpr std::string_view kMasks = "masks";
inline constexpr std::string_view kCross = "cross";
inline constexpr std::string_view kSquares = "squares";
inline constexpr std::string_view kY = "y";
inline constexpr std::string_view kLink = "link";
inline constexpr std::string_view kNonceCommitment = "nonce";
inline constexpr std::string_view kX = "x";

}  // namespace psephos::crypto::labels
