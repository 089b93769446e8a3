#include "crypto/vartime/backend.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <openssl/bn.h>

#include "crypto/vartime/msm.h"
#include "tests/crypto/support.h"
#include "tests/crypto/vartime/support.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto::vartime {
namespace {

using test::Field;

constexpr std::uint64_t kLimb = (std::uint64_t{1} << 51) - 1;
constexpr std::uint64_t kLoose = (std::uint64_t{1} << 52) - 1;

// --- the field, against OpenSSL's integers
// -----------------------------------------------------------

class Integers {
 public:
  Integers() : context_(BN_CTX_new()), p_(BN_new()) {
    BN_set_bit(p_, 255);
    BN_sub_word(p_, 19);
  }
  Integers(const Integers&) = delete;
  Integers& operator=(const Integers&) = delete;
  ~Integers() {
    BN_free(p_);
    BN_CTX_free(context_);
  }

  Limbs apply(FieldOperation operation, const Limbs& a, const Limbs& b) {
    BIGNUM* const x = read(a);
    BIGNUM* const y = read(b);
    BIGNUM* const r = BN_new();
    switch (operation) {
      case FieldOperation::sum:
        BN_mod_add(r, x, y, p_, context_);
        break;
      case FieldOperation::difference:
        BN_mod_sub(r, x, y, p_, context_);
        break;
      case FieldOperation::product:
        BN_mod_mul(r, x, y, p_, context_);
        break;
      case FieldOperation::square:
        BN_mod_sqr(r, x, p_, context_);
        break;
      case FieldOperation::combined:
      case FieldOperation::combined_loose:
        ADD_FAILURE() << "see combined";
        break;
    }
    Limbs result{};
    for (std::uint64_t& limb : result.l) {
      std::array<std::uint8_t, 32> bytes{};
      BN_bn2lebinpad(r, bytes.data(), bytes.size());
      std::memcpy(&limb, bytes.data(), 8);
      limb &= kLimb;
      BN_rshift(r, r, 51);
    }
    BN_free(x);
    BN_free(y);
    BN_free(r);
    return result;
  }

  // What FieldOperation::combined_loose says.
  Limbs combined(const Limbs& w, const Limbs& v) {
    using enum FieldOperation;
    const Limbs h = apply(sum, w, v);
    const Limbs e = apply(difference, w, v);
    const Limbs f = apply(sum, w, e);
    const Limbs g = apply(sum, w, h);
    const Limbs gh = apply(product, g, h);
    const Limbs fe = apply(product, f, e);
    return apply(sum, apply(product, apply(sum, gh, fe), apply(difference, gh, fe)),
                 apply(product, apply(product, f, g), apply(product, e, h)));
  }

 private:
  static BIGNUM* read(const Limbs& limbs) {
    BIGNUM* const value = BN_new();
    for (std::size_t i = 5; i-- > 0;) {
      BN_lshift(value, value, 51);
      BN_add_word(value, limbs.l[i]);
    }
    return value;
  }

  BN_CTX* context_;
  BIGNUM* p_;
};

std::vector<Limbs> field_elements(Random& random) {
  const Limbs p = {{kLimb - 18, kLimb, kLimb, kLimb, kLimb}};
  std::vector<Limbs> elements = {
      kZero,
      kOne,
      p,
      {{p.l[0] - 1, kLimb, kLimb, kLimb, kLimb}},                  // p − 1
      {{p.l[0] + 1, kLimb, kLimb, kLimb, kLimb}},                  // p + 1
      {{kLimb, kLimb, kLimb, kLimb, kLimb}},                       // 2^255 − 1
      {{2 * p.l[0], 2 * kLimb, 2 * kLimb, 2 * kLimb, 2 * kLimb}},  // 2p
      {{kLoose, kLoose, kLoose, kLoose, kLoose}},
      {{kLoose, 0, 0, 0, 0}},
      {{0, 0, 0, 0, kLoose}},
      {{0, kLoose, 0, kLoose, 0}},
      {{19, 0, 0, 0, 0}},
  };
  for (std::size_t i = 0; i < test::iterations(30); ++i) {
    Limbs limbs;
    for (std::uint64_t& limb : limbs.l) {
      limb = random.below(4) == 0 ? kLoose : random.below(kLoose + 1);
    }
    elements.push_back(limbs);
  }
  return elements;
}

TEST(VartimeField, AgreesWithIntegers) {
  test::SeededRandom random;
  Integers integers;
  const std::vector<Limbs> elements = field_elements(random);
  std::vector<Limbs> a;
  std::vector<Limbs> b;
  for (const Limbs& x : elements) {
    for (const Limbs& y : elements) {
      a.push_back(x);
      b.push_back(y);
    }
  }
  for (const FieldOperation operation : {FieldOperation::sum, FieldOperation::difference,
                                         FieldOperation::product, FieldOperation::square}) {
    std::vector<Limbs> expected;
    for (std::size_t i = 0; i < a.size(); ++i) {
      expected.push_back(integers.apply(operation, a[i], b[i]));
    }
    for (const Backend* backend : supported_backends()) {
      std::vector<Limbs> results(a.size());
      backend->field(operation, a.data(), b.data(), a.size(), results.data());
      for (std::size_t i = 0; i < a.size(); ++i) {
        ASSERT_TRUE(std::ranges::equal(results[i].l, expected[i].l))
            << backend->name << ", operation " << static_cast<int>(operation) << ", pair " << i;
      }
    }
  }
}

// What an addition of points hands from product to product without carries, from the largest limbs
// that may come in, in every lane.
TEST(VartimeField, FactorsMayBeSumsOfProducts) {
  test::SeededRandom random;
  Integers integers;
  constexpr std::uint64_t kProduct = (std::uint64_t{1} << 51) + (1U << 12) - 1;
  constexpr std::uint64_t kLow26 = (1U << 26) - 1;
  std::vector<Limbs> products = {kZero,
                                 kOne,
                                 {{kProduct, kProduct, kProduct, kProduct, kProduct}},
                                 {{kLimb, kLimb, kLimb, kLimb, kLimb}},
                                 {{kProduct, 0, kProduct, 0, kProduct}},
                                 {{0, kProduct, 0, kProduct, 0}},
                                 {{kLow26, kLow26, kLow26, kLow26, kLow26}},
                                 {{kLimb - 18, kLimb, kLimb, kLimb, kLimb}}};
  for (std::size_t i = 0; i < test::iterations(10); ++i) {
    Limbs limbs;
    for (std::uint64_t& limb : limbs.l) {
      limb = random.below(3) == 0 ? kProduct : random.below(kProduct + 1);
    }
    products.push_back(limbs);
  }
  for (const auto& [operation, elements] :
       {std::pair{FieldOperation::combined, field_elements(random)},
        std::pair{FieldOperation::combined_loose, products}}) {
    std::vector<Limbs> a;
    std::vector<Limbs> b;
    std::vector<Limbs> expected;
    for (const Limbs& x : elements) {
      for (const Limbs& y : elements) {
        a.push_back(x);
        b.push_back(y);
        expected.push_back(operation == FieldOperation::combined_loose
                               ? integers.combined(x, y)
                               : integers.combined(integers.apply(FieldOperation::product, x, y),
                                                   integers.apply(FieldOperation::square, y, y)));
      }
    }
    for (const Backend* backend : supported_backends()) {
      std::vector<Limbs> results(a.size());
      backend->field(operation, a.data(), b.data(), a.size(), results.data());
      for (std::size_t i = 0; i < a.size(); ++i) {
        ASSERT_TRUE(std::ranges::equal(results[i].l, expected[i].l))
            << backend->name << ", operation " << static_cast<int>(operation) << ", pair " << i;
      }
      // The largest limbs in all lanes at once.
      const std::vector<Limbs> same(backend->lanes, elements[elements.size() > 7 ? 7 : 2]);
      std::vector<Limbs> all(backend->lanes);
      backend->field(operation, same.data(), same.data(), same.size(), all.data());
      for (const Limbs& lane : all) {
        ASSERT_TRUE(std::ranges::equal(lane.l, all.front().l)) << backend->name;
      }
    }
  }
}

TEST(VartimeField, RepeatedProductsArePowers) {
  Integers integers;
  const Limbs a = {{123456789, kLimb, 7, 0, kLimb - 5}};
  Limbs power = a;
  for (int i = 0; i < 10; ++i) {
    power = integers.apply(FieldOperation::product, power, a);
  }
  Limbs expected = kZero;
  for (unsigned i = 0; i < kIndependentProducts; ++i) {
    expected = integers.apply(FieldOperation::sum, expected, power);
  }
  for (const Backend* backend : supported_backends()) {
    Limbs result;
    backend->multiply_repeatedly(a, 10, &result);
    EXPECT_TRUE(std::ranges::equal(result.l, expected.l)) << backend->name;
  }
}

// --- decoding
// -----------------------------------------------------------------------------------------

using Encoding = std::array<std::uint8_t, 32>;

Encoding little_endian(std::initializer_list<std::uint8_t> low, std::uint8_t fill,
                       std::uint8_t top) {
  Encoding bytes;
  bytes.fill(fill);
  std::ranges::copy(low, bytes.begin());
  bytes[31] = top;
  return bytes;
}

std::vector<Encoding> encodings(Random& random) {
  std::vector<Encoding> result;
  // Everything near 0, near p, near 2^255 and near 2^256: low-order points, non-canonical elements,
  // set top bits.
  for (unsigned low = 0; low < 256; ++low) {
    const auto byte = static_cast<std::uint8_t>(low);
    result.push_back(little_endian({byte}, 0x00, 0x00));
    result.push_back(little_endian({byte}, 0xff, 0x7f));
    result.push_back(little_endian({byte}, 0xff, 0xff));
    result.push_back(little_endian({byte}, 0x00, 0x80));
  }
  for (std::size_t i = 0; i < test::iterations(300); ++i) {
    Encoding bytes = random_point(random).bytes();
    result.push_back(bytes);
    bytes[random.below(32)] ^= static_cast<std::uint8_t>(1U << random.below(8));
    result.push_back(bytes);
    random.fill(bytes);
    result.push_back(bytes);
    bytes[0] &= 0xfe;
    bytes[31] &= 0x7f;
    result.push_back(bytes);
  }
  // Points of small order on edwards25519 and √−1, as field elements.
  for (const char* const text :
       {"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "b0a00e4a271beec478e42fad0618432fa7d7fb3d99004d2b0bdfc14f8024832b",
        "3d5ff1b5d8e4113b871bd052f9e7bcd0582804c266ffb2d4f4203eb07fdb7c54"}) {
    Encoding bytes;
    std::ranges::copy(unhex(text).value(), bytes.begin());
    result.push_back(bytes);
    bytes[0] ^= 1;
    result.push_back(bytes);
  }
  return result;
}

// Judges with every back end; what is valid must be so for libsodium, encode to the same bytes, and
// have the same coordinates everywhere.
void expect_agreement(const std::vector<Encoding>& inputs) {
  Bytes flat;
  for (const Encoding& bytes : inputs) {
    flat.insert(flat.end(), bytes.begin(), bytes.end());
  }
  std::vector<AffinePoint> reference;
  for (const Backend* backend : supported_backends()) {
    std::vector<AffinePoint> points(inputs.size());
    std::vector<std::uint8_t> valid(inputs.size(), 2);
    backend->decode(flat.data(), inputs.size(), points.data(), valid.data());
    if (reference.empty()) {
      reference = points;
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool expected = Point::decode(inputs[i], Identity::accepted).has_value();
      ASSERT_EQ(valid[i], expected ? 1 : 0) << backend->name << " " << hex(inputs[i]);
      if (!expected) {
        continue;
      }
      EXPECT_EQ(std::memcmp(&points[i], &reference[i], sizeof(AffinePoint)), 0)
          << backend->name << " " << hex(inputs[i]);
      ExtendedPoint same;
      const Coordinates coordinates = points[i].x.l;
      backend->sum(&coordinates, 1, &same);
      EXPECT_EQ(encode_vartime(same), inputs[i]) << backend->name;
      EXPECT_EQ(is_identity_vartime(same), inputs[i] == Encoding{}) << backend->name;
    }
  }
}

TEST(VartimeDecode, AgreesWithLibsodium) {
  test::SeededRandom random;
  const std::vector<Encoding> inputs = encodings(random);
  expect_agreement(inputs);
  // Numbers that do not fill the lanes.
  for (std::size_t size = 1; size < 10; ++size) {
    expect_agreement({inputs.end() - static_cast<std::ptrdiff_t>(size), inputs.end()});
  }
}

TEST(VartimeDecode, Rfc9496) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9496_ristretto255.json");
  for (const char* other : {"scalars", "wide_reduction", "order", "one_way_map", "arithmetic"}) {
    vectors.ignore(other, "point_test and scalar_test");
  }
  std::vector<Encoding> good;
  for (const Field& item : vectors["small_multiples"].array()) {
    std::ranges::copy(unhex(item.str()).value(), good.emplace_back().begin());
  }
  std::vector<Encoding> bad;
  for (const Field& item : vectors["bad_encodings"].array()) {
    static_cast<void>(item["why"].str());
    const Bytes bytes = item["encoding"].hex();
    ASSERT_EQ(bytes.size(), 32U);
    std::ranges::copy(bytes, bad.emplace_back().begin());
  }
  for (const Backend* backend : supported_backends()) {
    for (const auto& [inputs, expected] : {std::pair{good, 1}, std::pair{bad, 0}}) {
      for (const Encoding& bytes : inputs) {
        AffinePoint point;
        std::uint8_t valid = 2;
        backend->decode(bytes.data(), 1, &point, &valid);
        EXPECT_EQ(valid, expected) << backend->name << " " << hex(bytes);
      }
    }
  }
  expect_agreement(good);
  expect_agreement(bad);
}

TEST(VartimeSum, AgreesWithLibsodium) {
  test::SeededRandom random;
  for (const Backend* backend : supported_backends()) {
    std::vector<AffinePoint> points;
    Point expected;
    for (std::size_t size = 0; size < 40; ++size) {
      ExtendedPoint sum;
      std::vector<Coordinates> coordinates;
      for (const AffinePoint& point : points) {
        coordinates.push_back(point.x.l);
      }
      backend->sum(coordinates.data(), coordinates.size(), &sum);
      ASSERT_EQ(encode_vartime(sum), expected.bytes()) << backend->name << ", " << size;
      // Now and then the identity, or what was there just before.
      const Point next = size % 7 == 3 ? Point() : size % 5 == 4 ? expected : random_point(random);
      points.push_back(affine(*backend, next));
      expected = expected + next;
    }
  }
}

}  // namespace
}  // namespace psephos::crypto::vartime
