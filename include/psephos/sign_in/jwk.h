// JSON Web Key sets (RFC 7517): the public keys of an identity provider.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "psephos/crypto/jws.h"
#include "psephos/error.h"

namespace psephos::sign_in {

struct Jwk {
  std::optional<std::string> kid;
  crypto::JwsKey key;  // and with it the one algorithm it is used for
};

class JwkSet {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{256} * 1024;
  static constexpr std::size_t kMaxKeys = 64;

  // parse takes the keys this program can verify with; keys of other types, uses or algorithms, and
  // those that are not sound, are left out. Errc::malformed: not a set, too large, or two of the
  // keys taken have one kid and one algorithm.
  static Result<JwkSet> parse(std::string_view text);

  [[nodiscard]] const std::vector<Jwk>& keys() const { return keys_; }
  // Why keys were left out, for a log.
  [[nodiscard]] const std::vector<std::string>& left_out() const { return left_out_; }

  // select is the key a token names: that with its kid; without a kid, the only one of its
  // algorithm. Null: there is none (yet). Errc::rejected: the key named is for another algorithm,
  // or several fit.
  [[nodiscard]] Result<const Jwk*> select(crypto::JwsAlgorithm algorithm,
                                          const std::optional<std::string>& kid) const;

 private:
  std::vector<Jwk> keys_;
  std::vector<std::string> left_out_;
};

}  // namespace psephos::sign_in
