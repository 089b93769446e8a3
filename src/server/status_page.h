// The page that shows the elections of a server to the public: one file, nothing loaded from
// elsewhere. It needs GET v1/elections, v1/elections/{id}/live (LiveFeed::snapshot), …/events and
// …/record/result.json, seen from where it lies itself.
#pragma once

#include <string>
#include <string_view>

namespace psephos::server {

// The page, text/html in UTF-8.
[[nodiscard]] std::string_view status_page();

// content_security_policy allows the scripts and styles in the page, by their digests, and no
// others; requests to the page's own server only; no frames around it.
[[nodiscard]] std::string content_security_policy(std::string_view page);

}  // namespace psephos::server
