// All domain-separation strings and transcript labels of the protocol layer, in one place so that a
// clash can be seen; those of the crypto layer are in crypto/labels.h. ASCII, never with a
// terminating NUL: string_view only.
#pragma once

#include <string_view>

namespace psephos::protocol::labels {

// Prefixes of what is hashed or signed.
inline constexpr std::string_view kMessage = "psephos/v1/message";
inline constexpr std::string_view kRoster = "psephos/v1/roster";
inline constexpr std::string_view kClose = "psephos/v1/close";
inline constexpr std::string_view kElectionId = "psephos/v1/election";
inline constexpr std::string_view kLog = "psephos/v1/log/";
inline constexpr std::string_view kCredentialMessage = "psephos/v1/credential";
inline constexpr std::string_view kEnrolmentRequest = "psephos/v1/enrolment-request";
inline constexpr std::string_view kEnrolmentResponse = "psephos/v1/enrolment-response";
inline constexpr std::string_view kSignIn = "psephos/v1/sign-in";
// The first line of a note: not a checkpoint's, since an origin has no space.
inline constexpr std::string_view kRefusal = "psephos/v1/refusal ";
inline constexpr std::string_view kRoll = "psephos/v1/roll";
inline constexpr std::string_view kRollCode = "psephos/v1/roll-code";
inline constexpr std::string_view kRollImport = "psephos/v1/roll-import";
inline constexpr std::string_view kTracking = "psephos/v1/tracking";
inline constexpr std::string_view kVerificationPart = "psephos/v1/verification-part";

// Names of transcripts.
inline constexpr std::string_view kPossession = "possession";
inline constexpr std::string_view kComplaint = "complaint";
inline constexpr std::string_view kDecryption = "decryption";
inline constexpr std::string_view kChallengedBallot = "challenged-ballot";

// Labels in transcripts.
inline constexpr std::string_view kManifest = "manifest";
inline constexpr std::string_view kRosterDigest = "roster";
inline constexpr std::string_view kTrustee = "trustee";
inline constexpr std::string_view kCommitments = "commitments";
inline constexpr std::string_view kComplainant = "complainant";
inline constexpr std::string_view kAccused = "accused";
inline constexpr std::string_view kElection = "election";
inline constexpr std::string_view kTally = "tally";
inline constexpr std::string_view kStyle = "style";
inline constexpr std::string_view kCredential = "credential";
inline constexpr std::string_view kSequence = "sequence";
inline constexpr std::string_view kCiphertexts = "ciphertexts";
inline constexpr std::string_view kValues = "values";
inline constexpr std::string_view kRandomness = "randomness";

}  // namespace psephos::protocol::labels
