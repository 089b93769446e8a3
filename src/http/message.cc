#include "src/http/message.h"

#include "src/http/ascii.h"

namespace psephos::http {

const std::string* find_header(const std::vector<Header>& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (same_word(header.name, name)) {
      return &header.value;
    }
  }
  return nullptr;
}

Handler::Admission Handler::admit(const Request& /*head*/) const { return std::nullopt; }

std::string Handler::route(std::string_view /*method*/, std::string_view /*path*/) const {
  return {};
}

}  // namespace psephos::http
