// Ballot cells, a line each, and tracking codes typed by people.
#include <algorithm>
#include <string>
#include <vector>

#include "psephos/protocol/wallet.h"

#include "tests/protocol/election_fixture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace psephos;
  static const auto manifest = test::manifest_of({});
  const std::string_view text = as_text({data, size});
  std::vector<std::string> cells(1);
  for (const char c : text) {
    if (c == '\n') {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  for (const std::uint32_t style : {test::kBoth, test::kMayor}) {
    const auto votes = protocol::parse_votes(*manifest, style, cells);
    if (!votes.has_value()) {
      continue;
    }
    PSEPHOS_CHECK(votes->size() == manifest->styles[style].form.num_options());
    // Whatever it says, it says something unless every cell is empty.
    const bool blank = std::ranges::all_of(cells, [](const auto& cell) { return cell.empty(); });
    const auto values = votes->expose_secret();
    PSEPHOS_CHECK(std::ranges::all_of(values, [](std::uint32_t v) { return v == 0; }) == blank);
  }
  if (const auto code = protocol::parse_tracking_code(text); code.has_value()) {
    PSEPHOS_CHECK(protocol::parse_tracking_code(protocol::print(*code)) == code);
  }
  return 0;
}
