// Parts of a verification: what decodes has one encoding, the groups in them too.
#include "protocol/judged_group.h"
#include "protocol/verification_part.h"
#include "tests/protocol/election_fixture.h"
#include "tests/support/memory_store.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace psephos;

// A log of which there is nothing but a checkpoint, over two entries.
protocol::LogReader reader_of_two(const std::string& log) {
  static test::MemoryStore store;
  const std::string text = crypto::Checkpoint{log, {2, {}}, {}}.print();
  PSEPHOS_CHECK(store.write(log + "/checkpoint", as_bytes(text + "\n— " + log + " AAAAAAA=\n")));
  auto reader = protocol::LogReader::open(store, log, log);
  PSEPHOS_CHECK(reader.has_value());
  return std::move(*reader);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const test::TestElection fixture = test::make_election();
  static const protocol::LogReader reader = reader_of_two("box/0");
  const ByteView bytes(data, size);
  const auto part = protocol::VerificationPart::decode(bytes);
  if (!part.has_value()) {
    return 0;
  }
  PSEPHOS_CHECK(equal(part->encode(), bytes));
  for (const auto& group : part->groups) {
    for (const auto kind : {protocol::LogKind::roll, protocol::LogKind::box}) {
      const auto judged =
          protocol::JudgedGroup::decode(group.judged, kind, fixture.manifest(), reader, 0, 1);
      if (judged.has_value()) {
        PSEPHOS_CHECK(equal(judged->encode(fixture.manifest()), group.judged));
        static_cast<void>(num_faults(*judged));
      }
    }
  }
  return 0;
}
