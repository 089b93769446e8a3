#include "psephos/network/http_client.h"

#include <algorithm>

namespace psephos::network {

const std::string* HttpResponse::header(std::string_view name) const {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const auto found = std::ranges::find_if(headers, [&](const HttpHeader& header) {
    return std::ranges::equal(header.name, name, {}, lower, lower);
  });
  return found == headers.end() ? nullptr : &found->value;
}

}  // namespace psephos::network
