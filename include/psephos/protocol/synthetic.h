// Honest ballots in large numbers, to measure with: one process plays voters and registrars, signs
// credentials without blinding, and encrypts and proves with tables (crypto/multiplier.h). What it
// makes has the form and the distribution of what wallets and registrars make. No secret of a real
// election belongs here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "psephos/crypto/ballot_prover.h"
#include "psephos/crypto/multiplier.h"
#include "psephos/protocol/registrar.h"
#include "psephos/random.h"

namespace psephos::protocol {

// random_votes draws a vote that keeps the rules: in each contest a uniform sum between min and
// max, spread over the options in random order, as much on each as a draw between what it must take
// and what it may says.
[[nodiscard]] crypto::SecretVotes random_votes(const crypto::BallotForm& form, Random& random);

class SyntheticVoters {
 public:
  // registrars: those of the election, started for it; they must outlive this.
  SyntheticVoters(std::shared_ptr<const Election> election, std::span<const Registrar> registrars);

  // vote makes a voter with a credential of every registrar, and their ballot. `voter` is the name
  // on the roll, one for each ballot. Errc::misuse if the votes break the rules of the style. May
  // be called from several threads at once.
  struct Vote {
    std::vector<Issuance> issuances;  // per registrar
    Bytes ballot;                     // type ‖ body
  };
  [[nodiscard]] Result<Vote> vote(std::string_view voter, std::uint32_t style,
                                  crypto::SecretVotes votes, Random& random) const;

 private:
  std::shared_ptr<const Election> election_;
  std::span<const Registrar> registrars_;
  crypto::TableMultiplier multiplier_;
};

}  // namespace psephos::protocol
