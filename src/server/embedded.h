// Files that are part of the program.
#pragma once

#include <string>
#include <string_view>

namespace psephos::server {

// The OpenAPI document (openapi.json).
[[nodiscard]] std::string_view openapi();

// The status page (status_page.html), with the Content-Security-Policy that lets exactly its own
// script and style run.
struct EmbeddedPage {
  std::string_view html;
  std::string policy;
};
[[nodiscard]] const EmbeddedPage& status_page();

}  // namespace psephos::server
