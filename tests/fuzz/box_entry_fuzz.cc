// Ballots and challenges of a box log: what decodes has one encoding, and judging it does not
// crash.
#include "psephos/protocol/box_state.h"

#include "tests/protocol/election_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  static const test::TestElection fixture = test::make_election();
  static const crypto::IndividualEvaluator evaluator;
  const protocol::Election& election = *fixture.election;
  const ByteView bytes(data, size);
  const auto entry = protocol::decode_box_entry(bytes, election);
  if (!entry.has_value()) {
    return 0;
  }
  PSEPHOS_CHECK(equal(std::visit([](const auto& e) { return encode(e); }, *entry), bytes));
  const protocol::CredentialUse use = credential_use(election.manifest(), *entry);
  protocol::BoxState state(election.manifest(), 0);
  PSEPHOS_CHECK(!state.find_like(use).has_value());
  PSEPHOS_CHECK(state.append(0, use).has_value());
  PSEPHOS_CHECK(state.find_like(use) == 0U);
  PSEPHOS_CHECK(!state.append(1, use).has_value());
  static_cast<void>(check_box_entry(election, *entry, evaluator));
  const auto code = protocol::tracking_code(election.id(), style_of(*entry), encrypted_of(*entry));
  PSEPHOS_CHECK(protocol::parse_tracking_code(protocol::print(code)) == code);
  return 0;
}
