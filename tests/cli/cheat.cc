// A trustee's key file made to cheat: the shares it sends no longer fit the commitments it reveals.
//
// usage: psephos_cheat KEY    (password: PSEPHOS_PASSWORD)
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "psephos/crypto/key_file.h"
#include "psephos/random.h"
#include "psephos/runtime/directory.h"

namespace {

// Where Trustee::save puts the first coefficient of the polynomial; the reveal stands apart.
constexpr std::size_t kConstantTerm = 32 + 4 + 32 + 32 + 4;
constexpr std::size_t kMaxFile = 65536;

}  // namespace

int main(int argc, char** argv) {
  const char* const word = std::getenv("PSEPHOS_PASSWORD");
  if (argc != 2 || word == nullptr) {
    std::fputs("usage: PSEPHOS_PASSWORD=… psephos_cheat KEY\n", stderr);
    return 2;
  }
  const psephos::SecretBuffer password(psephos::as_bytes(std::string_view(word)));
  psephos::SystemRandom random;
  auto key = psephos::crypto::open_file(
      "trustee", psephos::runtime::read_file(argv[1], kMaxFile).value(), password);
  key.value().expose_secret()[kConstantTerm] ^= 1;
  const auto sealed = psephos::crypto::seal_file("trustee", *key, password,
                                                 psephos::crypto::PasswordCost::minimal, random);
  psephos::runtime::write_file(argv[1], sealed.value(), psephos::runtime::FileMode::owner_only)
      .value();
  return 0;
}
