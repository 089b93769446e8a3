#include "src/server/status_page.h"

#include "psephos/bytes.h"
#include "psephos/crypto/hash.h"

namespace psephos::server {

namespace {

// The digests of all elements of a name, whose start tags have no attributes, as a source list.
std::string sources(std::string_view page, std::string_view element) {
  const std::string start = "<" + std::string(element) + ">";
  const std::string end = "</" + std::string(element) + ">";
  std::string list;
  for (std::size_t at = page.find(start); at != std::string_view::npos; at = page.find(start, at)) {
    at += start.size();
    const std::string_view content = page.substr(at, page.find(end, at) - at);
    list += " 'sha256-" + base64(crypto::sha256({as_bytes(content)})) + "'";
  }
  return list.empty() ? " 'none'" : list;
}

}  // namespace

std::string content_security_policy(std::string_view page) {
  return "default-src 'none'; script-src" + sources(page, "script") + "; style-src" +
         sources(page, "style") +
         "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'";
}

}  // namespace psephos::server
