// RFC 9497 (OPRF) and RFC 9380 (expand_message_xmd): values of others for the group, the one-way
// map and, as linear relations, for proofs of equal logarithms. psephos has no OPRF.

#include <algorithm>

#include "psephos/crypto/relation.h"

#include "tests/crypto/support.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;

// RFC 9380 §5.3.1 with SHA-512, for at most 255 blocks.
Bytes expand_message_xmd(ByteView message, ByteView tag, std::size_t size) {
  Writer tag_prime;
  tag_prime.raw(tag).u8(static_cast<std::uint8_t>(tag.size()));
  Writer first;
  first.raw(Bytes(128)).raw(message).u16(static_cast<std::uint16_t>(size)).u8(0);
  const Digest64 b0 = sha512({first.bytes(), tag_prime.bytes()});
  Bytes out;
  Digest64 block{};
  for (std::uint8_t i = 1; out.size() < size; ++i) {
    for (std::size_t k = 0; k < block.size(); ++k) {
      block[k] ^= b0[k];
    }
    block = sha512({block, Bytes{i}, tag_prime.bytes()});
    out.insert(out.end(), block.begin(), block.end());
  }
  out.resize(size);
  return out;
}

std::array<std::uint8_t, 64> expand64(ByteView message, std::string_view prefix, ByteView context) {
  Writer tag;
  tag.raw(as_bytes(prefix)).raw(context);
  std::array<std::uint8_t, 64> out;
  std::ranges::copy(expand_message_xmd(message, tag.bytes(), 64), out.begin());
  return out;
}

TEST(Rfc9380, ExpandMessage) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9497_voprf_ristretto255.json", "expand_message_xmd_sha512");
  const std::string tag = vectors["DST"].str();
  for (const Field& item : vectors["vectors"].array()) {
    EXPECT_EQ(
        hex(expand_message_xmd(as_bytes(item["msg"].str()), as_bytes(tag), item["len"].u64())),
        item["uniform_bytes"].str());
  }
}

Scalar hash_to_scalar(ByteView input, ByteView context) {
  return Scalar::reduce(expand64(input, "HashToScalar-", context));
}

// s·base + c·y − commitment, one equation of a proof of equal logarithms.
LinearRelation equation(const Scalar& s, const Point& base, const Scalar& c, const Point& y,
                        const Point& commitment) {
  LinearRelation relation;
  relation.own = {{s, base}, {c, y}, {-Scalar::one(), commitment}};
  return relation;
}

TEST(Rfc9497, GroupAndProofsOfEquality) {
  PSEPHOS_LOAD_VECTORS(vectors, "rfc9497_voprf_ristretto255.json");
  vectors.ignore("expand_message_xmd_sha512", "above");
  const IndividualEvaluator evaluator;
  std::size_t proofs = 0;
  for (const Field& mode : vectors["modes"].array()) {
    SCOPED_TRACE(mode["mode"].str());
    mode.ignore("seed", "derivation of OPRF keys is not built here");
    mode.ignore("key_info", "derivation of OPRF keys is not built here");
    const Bytes context = mode["context_string"].hex();
    const Scalar base_key = scalar(mode["skS"].hex());
    EXPECT_EQ(base_key * Point::base(), point(mode["pkS"].hex()));
    for (const Field& item : mode["vectors"].array()) {
      item.ignore("output", "the last step of an OPRF is not built here");
      // With public information the key is tweaked, and its inverse evaluates.
      Scalar key = base_key;
      Scalar evaluation_key = base_key;
      if (item.has("info")) {
        const Bytes info = item["info"].hex();
        Writer framed;
        framed.raw(as_bytes("Info")).u16(static_cast<std::uint16_t>(info.size())).raw(info);
        key = base_key + hash_to_scalar(framed.bytes(), context);
        evaluation_key = key.inverse();
      }
      LinearRelation m_sum;
      LinearRelation z_sum;
      for (std::size_t i = 0; i < item["batch"].u64(); ++i) {
        const Point element =
            Point::from_hash(expand64(item["input"][i].hex(), "HashToGroup-", context));
        const Point blinded = point(item["blinded_element"][i].hex());
        const Point evaluated = point(item["evaluation_element"][i].hex());
        EXPECT_EQ(element, point(item["hash_to_group"][i].hex()));
        EXPECT_EQ(scalar(item["blind"][i].hex()) * element, blinded);
        EXPECT_EQ(evaluation_key * blinded, evaluated);
        if (item.has("proof")) {
          const Scalar weight = scalar(item["proof"]["composite_weights"][i].hex());
          m_sum.own.push_back({weight, item.has("info") ? evaluated : blinded});
          z_sum.own.push_back({weight, item.has("info") ? blinded : evaluated});
        }
      }
      if (!item.has("proof")) {
        continue;
      }
      ++proofs;
      const Field proof = item["proof"];
      const Point y = point(proof["Y"].hex());
      const Point m = point(proof["M"].hex());
      const Point z = point(proof["Z"].hex());
      const Point t2 = point(proof["t2"].hex());
      const Point t3 = point(proof["t3"].hex());
      const Scalar c = scalar(proof["c"].hex());
      const Scalar s = scalar(proof["s"].hex());
      EXPECT_EQ(key * Point::base(), y);
      EXPECT_EQ(scalar(proof["r"].hex()), s + c * key);
      EXPECT_EQ(hash_to_scalar(proof["challenge_input"].hex(), context), c);
      m_sum.own.push_back({-Scalar::one(), m});
      z_sum.own.push_back({-Scalar::one(), z});
      EXPECT_TRUE(evaluator.holds(m_sum));
      EXPECT_TRUE(evaluator.holds(z_sum));
      EXPECT_TRUE(evaluator.holds(equation(s, Point::base(), c, y, t2)));
      EXPECT_TRUE(evaluator.holds(equation(s, m, c, z, t3)));
      EXPECT_FALSE(evaluator.holds(equation(s, m, c, z, t2)));
      EXPECT_FALSE(evaluator.holds(equation(s, m, c, y, t3)));
      EXPECT_FALSE(evaluator.holds(equation(c, m, s, z, t3)));
    }
  }
  EXPECT_EQ(proofs, 6U);
}

}  // namespace
}  // namespace psephos::crypto
