#include "psephos/crypto/transcript.h"

#include "psephos/crypto/generators.h"

#include "tests/crypto/support.h"
#include "tests/support/seeded_random.h"
#include "tests/support/vectors.h"

namespace psephos::crypto {
namespace {

using test::Field;

TEST(Transcript, PsephosVectors) {
  PSEPHOS_LOAD_VECTORS(vectors, "psephos_transcript.json");
  vectors.ignore("note", "prose");
  vectors.ignore("base_point", "point_test");
  vectors.ignore("wide_reduction", "scalar_test");
  EXPECT_EQ(vectors["format"].str(), "psephos-transcript-vectors-1");
  EXPECT_EQ(vectors["q"].str(),
            "7237005577332262213973186563042994240857116359379907606001950938285454250989");

  for (const Field& item : vectors["cases"].array()) {
    SCOPED_TRACE(item["name"].str());
    Transcript transcript(item["transcript"].str());
    std::uint64_t length = 8 + 10 + item["transcript"].str().size();
    const auto expect_state = [&](const Field& state) {
      EXPECT_EQ(hex(transcript.digest()), state["context_sha512"].str());
      EXPECT_EQ(length, state["context_length"].u64());
    };
    expect_state(item["start"]);
    for (const Field& step : item["steps"].array()) {
      const std::string label = step["label"].str();
      const std::string op = step["op"].str();
      if (op == "absorb") {
        const Bytes bytes = step.has("bytes")
                                ? step["bytes"].hex()
                                : Bytes(step["times"].u64(), step["repeat_byte"].hex().at(0));
        transcript.absorb(label, bytes);
        length += 8 + label.size() + bytes.size();
      } else {
        ASSERT_EQ(op, "challenge");
        Transcript copy = transcript;
        copy.absorb(label, {});
        EXPECT_EQ(hex(copy.digest()), step["digest"].str());
        EXPECT_EQ(transcript.challenge(label), scalar(step["scalar"].hex()));
        length += 8 + label.size() + 8 + 9 + 64;
      }
      expect_state(step);
    }
  }

  for (const Field& item : vectors["generators"].array()) {
    const auto index = static_cast<std::uint32_t>(item["i"].u64());
    Writer input;
    input.raw(as_bytes("psephos/v1/generator")).u32(index);
    EXPECT_EQ(hex(sha512({input.bytes()})), item["sha512"].str());
    EXPECT_EQ(generator(index), point(item["point"].hex())) << index;
  }

  for (const Field& item : vectors["drbg"].array()) {
    Drbg drbg(item["seed"].str());
    for (const Field& value : item["scalars"].array()) {
      EXPECT_EQ(drbg.next(), scalar(value.hex()));
    }
  }
}

TEST(Transcript, CopiesGoTheirOwnWays) {
  Transcript a("test");
  Transcript b = a;
  EXPECT_EQ(a.digest(), b.digest());
  b.absorb("label", as_bytes("x"));
  EXPECT_NE(a.digest(), b.digest());
  a.absorb("label", as_bytes("x"));
  EXPECT_EQ(a.challenge("c"), b.challenge("c"));
}

// Pieces of every length, gathered or not, against one hash of all bytes; and copies taken in
// between.
TEST(Transcript, HashesWhatWasAbsorbed) {
  test::SeededRandom random;
  for (std::size_t round = 0; round < test::iterations(20); ++round) {
    Transcript transcript("test");
    Writer all;
    all.u32(10).raw(as_bytes("psephos/v1")).u32(4).raw(as_bytes("test"));
    for (std::size_t piece = 0; piece < 12; ++piece) {
      Bytes bytes(random.below(piece % 3 == 0 ? 1200 : 80));
      if (piece == 4) {
        bytes.resize(512);
      }
      random.fill(bytes);
      transcript.absorb("label", bytes);
      all.u32(5).raw(as_bytes("label")).u32(static_cast<std::uint32_t>(bytes.size())).raw(bytes);
      if (random.below(2) == 0) {
        const Transcript copy = transcript;
        EXPECT_EQ(copy.digest(), sha512({all.bytes()}));
      }
      if (random.below(3) == 0) {
        EXPECT_EQ(transcript.digest(), sha512({all.bytes()}));
      }
    }
    EXPECT_EQ(transcript.digest(), sha512({all.bytes()}));
  }
}

TEST(Transcript, IntegersAreBigEndian) {
  Transcript a("test");
  Transcript b("test");
  a.absorb_u32("n", 0x01020304);
  b.absorb("n", Bytes{1, 2, 3, 4});
  EXPECT_EQ(a.digest(), b.digest());
}

TEST(Generators, AreNumberedFromOne) {
  const Generators generators(3);
  EXPECT_EQ(generators.count(), 3U);
  EXPECT_EQ(generators.h(), generator(0));
  for (std::uint32_t k = 0; k < 3; ++k) {
    EXPECT_EQ(generators.g(k), generator(k + 1));
  }
  EXPECT_EQ(Generators(0).count(), 0U);
}

}  // namespace
}  // namespace psephos::crypto
