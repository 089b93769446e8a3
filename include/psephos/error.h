// The one error type of psephos.
//
// A function that can fail returns Result<T>. A failed check of a record is not an error of the
// verifier: it is a finding in a report (protocol/verify.h).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace psephos {

// Errc says to which of four families an error belongs; they are never mixed.
enum class Errc : std::uint8_t {
  // The bytes or the text are not the encoding of what was asked for.
  malformed,
  // Well formed, but a proof, a signature, a password or a comparison failed.
  rejected,
  // The state does not allow the call: wrong order, done before, not permitted by the manifest.
  misuse,
  // A file, the system's randomness, memory or a cryptographic library did not do its part.
  environment,
};

// name returns the word for a family, as it stands in messages and in JSON.
[[nodiscard]] std::string_view name(Errc code);

// Error carries a message for a person: it names the file, entry or field and what to do.
struct Error {
  Errc code;
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T = void>
using Result = std::expected<T, Error>;

// fail makes the error value of a Result.
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

// within puts a place in front of an error's message: "box/0 entry 7: scalar not canonical".
[[nodiscard]] std::unexpected<Error> within(std::string_view place, const Error& error);

namespace detail {
// Aborts with the text on standard error; for broken invariants only, never for bad input.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace detail

}  // namespace psephos

#define PSEPHOS_CONCAT_(a, b) a##b
#define PSEPHOS_CONCAT(a, b) PSEPHOS_CONCAT_(a, b)

// PSEPHOS_TRY(auto x, f()): x is the value of f(), or the enclosing function returns f()'s error.
#define PSEPHOS_TRY(declaration, expression) \
  PSEPHOS_TRY_(PSEPHOS_CONCAT(psephos_result_, __LINE__), declaration, expression)
#define PSEPHOS_TRY_(result, declaration, expression)                \
  auto result = (expression);                                        \
  if (!result.has_value()) return std::unexpected((result).error()); \
  declaration = std::move(result).value()

// PSEPHOS_CHECK_OK(f()): the same for a Result without a value.
#define PSEPHOS_CHECK_OK(expression)                                     \
  do {                                                                   \
    if (auto psephos_result = (expression); !psephos_result.has_value()) \
      return std::unexpected(psephos_result.error());                    \
  } while (false)

// PSEPHOS_CHECK(condition): an invariant of this library; active in every build.
#define PSEPHOS_CHECK(condition)      \
  ((condition) ? static_cast<void>(0) \
               : ::psephos::detail::check_failed(#condition, __FILE__, __LINE__))
