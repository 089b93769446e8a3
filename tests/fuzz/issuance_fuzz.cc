// Entries of a roll log, 69 bytes each: what decodes has one encoding, and the fold keeps count.
#include <algorithm>

#include "psephos/protocol/issuance.h"

#include "tests/protocol/election_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  static const auto manifest = test::manifest_of({});
  constexpr std::size_t kEntry = 69;
  protocol::IssuanceState state(*manifest);
  std::uint64_t taken = 0;
  ByteView rest(data, size);
  while (!rest.empty()) {
    const ByteView bytes = rest.first(std::min(kEntry, rest.size()));
    rest = rest.subspan(bytes.size());
    const auto issuance = protocol::Issuance::decode(bytes, *manifest);
    if (!issuance.has_value()) {
      continue;
    }
    PSEPHOS_CHECK(equal(issuance->encode(), bytes));
    if (state.append(*issuance).has_value()) {
      ++taken;
    }
    PSEPHOS_CHECK(state.find(issuance->pseudonym) != nullptr || !state.check(*issuance));
    PSEPHOS_CHECK(!state.append(*issuance).has_value());
  }
  PSEPHOS_CHECK(state.total() == taken);
  return 0;
}
