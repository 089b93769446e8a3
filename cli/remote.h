// psephosd as its clients see it: requests, and what the answers mean. Whether an answer is true is
// for others to judge (cli/promise.h); here nothing is believed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "psephos/bytes.h"
#include "psephos/error.h"
#include "psephos/network/http_client.h"
#include "psephos/protocol/ballot.h"
#include "psephos/secret.h"
#include "psephos/sign_in/token.h"

#include "cli/json.h"

namespace psephos::cli {

using network::Patience;

// The box's answers to a ballot or challenge.
struct Receipt {
  std::string text;
};
struct Refused {
  std::string refusal;  // the signed note
  std::string reason;   // as the server words it
};
// Nothing is known of what was sent: to be sent again later.
struct NotNow {
  std::string reason;
};
using BallotAnswer = std::variant<Receipt, Refused, NotNow>;

// What a registrar wants to know a voter by.
struct SignIn {
  struct Provider {
    std::string issuer;
    sign_in::Client client;
  };
  bool codes = false;
  std::optional<Provider> provider;
};

class Server {
 public:
  // `url` is that of psephosd, or of a proxy in front of several. The client must outlive this.
  // Errc::misuse: no such URL.
  static Result<Server> create(network::HttpClient& client, std::string url, Patience patience);

  // keep_private: Errc::misuse if what is sent to this server could be read on the way: it has no
  // https, and is not this machine.
  [[nodiscard]] Result<void> keep_private(std::string_view what) const;
  // The administration's token, sent with every request from then on.
  [[nodiscard]] Result<void> authorize(const SecretBuffer& token);

  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::string record_url(const Digest32& election) const;

  struct Listed {
    std::string id;
    std::string title;
    std::string phase;
  };
  [[nodiscard]] Result<std::vector<Listed>> elections() const;
  // The election there is; Errc::misuse lists them if there is not exactly one.
  [[nodiscard]] Result<Digest32> only_election() const;
  // What the server says of an election; nothing: it does not know it.
  [[nodiscard]] Result<std::optional<Json>> state(const Digest32& election) const;

  [[nodiscard]] Result<SignIn> sign_in(const Digest32& election, std::uint32_t registrar) const;
  // enrol sends an EnrolmentRequest and returns the registrar's response. Errc::rejected: it says
  // no, and why; Errc::environment: it could not be asked, the same request may do later.
  [[nodiscard]] Result<Bytes> enrol(const Digest32& election, std::uint32_t registrar,
                                    ByteView request, const SecretBuffer* bearer) const;

  // submit sends type ‖ body. Errc::rejected: the server takes no ballots, and why.
  [[nodiscard]] Result<BallotAnswer> submit(const Digest32& election, ByteView entry) const;
  // The receipt of an entry; nothing if the box has none with this code.
  [[nodiscard]] Result<std::optional<std::string>> receipt(
      const Digest32& election, const protocol::TrackingCode& code) const;

  // A call of the administration: `path` below that of the election.
  [[nodiscard]] Result<network::HttpResponse> administer(const Digest32& election,
                                                         const std::string& path,
                                                         std::string_view content_type,
                                                         Bytes body) const;
  // The JSON object in an answer; Errc::malformed if it is none.
  [[nodiscard]] Result<Json> object(const std::string& path,
                                    const network::HttpResponse& response) const;
  [[nodiscard]] Result<network::HttpResponse> get(const std::string& path) const;

 private:
  Server(network::HttpClient& client, std::string url, Patience patience)
      : client_(&client), url_(std::move(url)), patience_(std::move(patience)) {}
  [[nodiscard]] std::string at(const std::string& path) const { return url_ + path; }
  [[nodiscard]] Result<network::HttpResponse> send(const std::string& path,
                                                   network::HttpRequest request) const;

  network::HttpClient* client_;
  std::string url_;  // with a slash at the end
  Patience patience_;
  std::string token_;
};

// "v1/elections/<id>".
[[nodiscard]] std::string election_path(const Digest32& election);

// What an answer that is no success says (RFC 9457), for a person: "…: the polls are closed (409)".
[[nodiscard]] std::string problem_text(const network::HttpResponse& response);

}  // namespace psephos::cli
