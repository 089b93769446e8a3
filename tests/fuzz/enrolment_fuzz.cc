// Enrolment requests and responses: what decodes has one encoding.
#include "psephos/protocol/issuance.h"

#include "tests/protocol/election_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  static const auto manifest = test::manifest_of({.registrars = 2});
  const ByteView bytes(data, size);
  const auto request = protocol::EnrolmentRequest::decode(bytes, *manifest);
  if (request.has_value()) {
    PSEPHOS_CHECK(equal(request->encode(), bytes));
  }
  const auto response = protocol::EnrolmentResponse::decode(bytes, *manifest);
  if (response.has_value()) {
    PSEPHOS_CHECK(equal(response->encode(), bytes));
  }
  return 0;
}
