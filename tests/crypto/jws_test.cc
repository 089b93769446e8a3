#include "psephos/crypto/jws.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/crypto/expect.h"

namespace psephos::crypto {
namespace {

using test::fails_with;
using test::is_ok;
using test::must;

Bytes b(std::string_view text) { return must(unbase64url(text)); }

// RFC 7515, A.2 and A.3.
constexpr std::string_view kPayload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
    "fQ";
constexpr std::string_view kModulus =
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4"
    "d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5re"
    "xMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxX"
    "FvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
constexpr std::string_view kRsaSignature =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
    "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
constexpr std::string_view kX = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
constexpr std::string_view kY = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
constexpr std::string_view kEcdsaSignature =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
// RFC 8037, A.4.
constexpr std::string_view kEdX = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
constexpr std::string_view kEdInput = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
constexpr std::string_view kEdSignature =
    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

struct Vector {
  JwsKey key;
  std::string input;
  Bytes signature;
};

std::vector<Vector> vectors() {
  return {{must(JwsKey::rs256(b(kModulus), b("AQAB"))),
           "eyJhbGciOiJSUzI1NiJ9." + std::string(kPayload), b(kRsaSignature)},
          {must(JwsKey::es256(b(kX), b(kY))), "eyJhbGciOiJFUzI1NiJ9." + std::string(kPayload),
           b(kEcdsaSignature)},
          {must(JwsKey::eddsa(b(kEdX))), std::string(kEdInput), b(kEdSignature)}};
}

TEST(Jws, VerifiesTheExamplesOfTheRfcs) {
  const auto all = vectors();
  const std::string_view names[] = {"RS256", "ES256", "EdDSA"};
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(is_ok(all[i].key.verify(as_bytes(all[i].input), all[i].signature)));
    EXPECT_EQ(name(all[i].key.algorithm()), names[i]);
  }
}

TEST(Jws, RefusesAnotherInput) {
  for (const Vector& v : vectors()) {
    std::string input = v.input;
    input.back() = 'A';
    EXPECT_TRUE(fails_with(Errc::rejected, v.key.verify(as_bytes(input), v.signature)));
    EXPECT_TRUE(fails_with(Errc::rejected, v.key.verify({}, v.signature)));
  }
}

TEST(Jws, RefusesEveryChangedByteOfASignature) {
  for (const Vector& v : vectors()) {
    for (std::size_t i = 0; i < v.signature.size(); ++i) {
      for (const unsigned change : {0x01U, 0x80U, 0xffU}) {
        Bytes signature = v.signature;
        signature[i] ^= static_cast<std::uint8_t>(change);
        EXPECT_TRUE(fails_with(Errc::rejected, v.key.verify(as_bytes(v.input), signature))) << i;
      }
    }
  }
}

TEST(Jws, RefusesSignaturesOfEveryOtherLength) {
  for (const Vector& v : vectors()) {
    for (std::size_t size = 0; size <= v.signature.size() + 2; ++size) {
      Bytes signature = v.signature;
      signature.resize(size);
      EXPECT_EQ(v.key.verify(as_bytes(v.input), signature).has_value(), size == v.signature.size());
    }
    Bytes longer = v.signature;
    longer.insert(longer.begin(), 0);
    EXPECT_TRUE(fails_with(Errc::rejected, v.key.verify(as_bytes(v.input), longer)));
  }
}

TEST(Jws, RefusesDegenerateSignatures) {
  for (const Vector& v : vectors()) {
    const std::size_t size = v.signature.size();
    for (const std::uint8_t fill : {std::uint8_t{0}, std::uint8_t{0xff}}) {
      EXPECT_TRUE(fails_with(Errc::rejected, v.key.verify(as_bytes(v.input), Bytes(size, fill))));
    }
    Bytes one(size, 0);
    one.back() = 1;
    EXPECT_TRUE(fails_with(Errc::rejected, v.key.verify(as_bytes(v.input), one)));
  }
  // r and the order of P-256 in the place of s; then 0 in the place of r.
  const Vector v = vectors()[1];
  const Bytes order =
      must(unhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"));
  Bytes signature = v.signature;
  std::ranges::copy(order, signature.begin() + 32);
  EXPECT_TRUE(fails_with(Errc::rejected, v.key.verify(as_bytes(v.input), signature)));
  signature = v.signature;
  std::fill_n(signature.begin(), 32, std::uint8_t{0});
  EXPECT_TRUE(fails_with(Errc::rejected, v.key.verify(as_bytes(v.input), signature)));
}

TEST(Jws, RefusesAnEcdsaSignatureInDer) {
  const Vector v = vectors()[1];
  // 70 bytes: the SEQUENCE that other protocols use.
  Bytes der = {0x30, 0x45, 0x02, 0x20};
  der.insert(der.end(), v.signature.begin(), v.signature.begin() + 32);
  der.insert(der.end(), {0x02, 0x21, 0x00});
  der.insert(der.end(), v.signature.begin() + 32, v.signature.end());
  EXPECT_TRUE(fails_with(Errc::rejected, v.key.verify(as_bytes(v.input), der)));
}

TEST(Jws, RefusesASignatureOfAnotherKey) {
  const auto all = vectors();
  for (const Vector& v : all) {
    for (const Vector& other : all) {
      if (&v != &other) {
        EXPECT_TRUE(
            fails_with(Errc::rejected, v.key.verify(as_bytes(other.input), other.signature)));
      }
    }
  }
}

TEST(Jws, RefusesRsaKeysOutOfBounds) {
  const Bytes n = b(kModulus);
  const Bytes e = b("AQAB");
  const auto refused = [](const Bytes& modulus, const Bytes& exponent) {
    return fails_with(Errc::malformed, JwsKey::rs256(modulus, exponent));
  };
  EXPECT_TRUE(refused({}, e));
  EXPECT_TRUE(refused(Bytes(n.begin(), n.end() - 1), e));
  EXPECT_TRUE(refused(Bytes(128, 0xff), e));
  Bytes short_by_a_bit = n;
  short_by_a_bit.front() = 0x7f;
  EXPECT_TRUE(refused(short_by_a_bit, e));
  Bytes padded = n;
  padded.insert(padded.begin(), 0);
  EXPECT_TRUE(refused(padded, e));
  Bytes even = n;
  even.back() &= 0xfe;
  EXPECT_TRUE(refused(even, e));
  EXPECT_TRUE(refused(Bytes(1025, 0xff), e));
  EXPECT_TRUE(is_ok(JwsKey::rs256(Bytes(1024, 0xff), e)));

  EXPECT_TRUE(is_ok(JwsKey::rs256(n, {{3}})));
  EXPECT_TRUE(refused(n, {}));
  EXPECT_TRUE(refused(n, {0}));
  EXPECT_TRUE(refused(n, {1}));
  EXPECT_TRUE(refused(n, {2}));
  EXPECT_TRUE(refused(n, {1, 0, 0}));
  EXPECT_TRUE(refused(n, {0, 1, 0, 1}));
  EXPECT_TRUE(refused(n, Bytes(9, 0x01)));
}

TEST(Jws, RefusesWhatIsNoPointOfTheCurve) {
  const Bytes x = b(kX);
  const Bytes y = b(kY);
  const auto refused = [](const Bytes& first, const Bytes& second) {
    return fails_with(Errc::malformed, JwsKey::es256(first, second));
  };
  Bytes other = y;
  other.back() ^= 1;
  EXPECT_TRUE(refused(x, other));
  EXPECT_TRUE(refused(y, x));
  EXPECT_TRUE(refused(Bytes(32, 0), Bytes(32, 0)));
  EXPECT_TRUE(refused(Bytes(32, 0xff), y));  // not below p
  EXPECT_TRUE(refused(x, Bytes(32, 0xff)));
  EXPECT_TRUE(refused({}, {}));
  EXPECT_TRUE(refused(Bytes(x.begin(), x.end() - 1), y));
  Bytes longer = x;
  longer.insert(longer.begin(), 0);
  EXPECT_TRUE(refused(longer, y));
  // On the curve over x³ − 3x + another b.
  EXPECT_TRUE(refused(Bytes(32, 1), Bytes(32, 1)));
}

TEST(Jws, RefusesEd25519KeysOfSmallOrderOrNonCanonical) {
  const auto refused = [](const Bytes& x) { return fails_with(Errc::malformed, JwsKey::eddsa(x)); };
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused(Bytes(31, 1)));
  EXPECT_TRUE(refused(Bytes(33, 1)));
  EXPECT_TRUE(refused(Bytes(32, 0)));  // of order 4
  Bytes identity(32, 0);
  identity.front() = 1;
  EXPECT_TRUE(refused(identity));
  EXPECT_TRUE(refused(Bytes(32, 0xff)));
  Bytes no_point(32, 0);
  no_point.front() = 2;
  EXPECT_TRUE(refused(no_point));
}

}  // namespace
}  // namespace psephos::crypto
