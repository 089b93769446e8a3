// Public points: every back end judges encodings as libsodium does, finds the same coordinates, and
// computes the same sums. Input: terms of 64 bytes, an encoding and a scalar's bits.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "crypto/vartime/msm.h"
#include "tests/crypto/vartime/support.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  using namespace psephos::crypto;
  using namespace psephos::crypto::vartime;
  constexpr std::size_t kTerm = 64;
  constexpr std::size_t kMaxTerms = 24;
  struct Term {
    Scalar scalar;
    Point point;
  };
  std::vector<Term> terms;
  Point expected;
  for (std::size_t at = 0; at + kTerm <= size && at < kMaxTerms * kTerm; at += kTerm) {
    const ByteView encoding(data + at, 32);
    const auto point = Point::decode(encoding, Identity::accepted);
    AffinePoint reference;
    for (const Backend* backend : supported_backends()) {
      AffinePoint decoded;
      std::uint8_t valid = 2;
      backend->decode(encoding.data(), 1, &decoded, &valid);
      PSEPHOS_CHECK(valid == (point.has_value() ? 1 : 0));
      if (backend == &kPortable) {
        reference = decoded;
      }
      PSEPHOS_CHECK(valid == 0 || std::memcmp(&decoded, &reference, sizeof(decoded)) == 0);
    }
    if (point.has_value()) {
      std::array<std::uint8_t, 64> wide{};
      std::ranges::copy(ByteView(data + at + 32, 32), wide.begin());
      terms.push_back({Scalar::reduce(wide), *point});
      expected = expected + terms.back().scalar * *point;
    }
  }
  for (const Backend* backend : supported_backends()) {
    for (const MsmPlan& plan :
         {MsmPlan{.straus = true, .window_bits = 4}, MsmPlan{.straus = false, .window_bits = 5}}) {
      Msm msm(*backend);
      std::vector<AffinePoint> points;
      points.reserve(terms.size());
      for (const Term& term : terms) {
        points.push_back(affine(*backend, term.point));
        msm.add(to_signed_vartime(ScalarAccess::words(term.scalar)), points.back().x.l);
      }
      PSEPHOS_CHECK(encode_vartime(msm.sum_vartime(plan)) == expected.bytes());
    }
  }
  return 0;
}
