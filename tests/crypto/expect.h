// Short forms for tests of functions that return a Result.
#pragma once

#include <stdexcept>
#include <utility>

#include <gtest/gtest.h>

#include "psephos/error.h"

namespace psephos::test {

// must returns the value; an error ends the test with its message.
template <class T>
T must(Result<T> result) {
  if (!result.has_value()) {
    throw std::runtime_error(result.error().message);
  }
  if constexpr (!std::is_void_v<T>) {
    return std::move(result).value();
  }
}

// is_ok and fails_with are for EXPECT_TRUE; their message tells what came instead.
template <class T>
testing::AssertionResult is_ok(const Result<T>& result) {
  if (result.has_value()) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << name(result.error().code) << ": " << result.error().message;
}

template <class T>
testing::AssertionResult fails_with(Errc code, const Result<T>& result) {
  if (result.has_value()) {
    return testing::AssertionFailure() << "succeeded";
  }
  if (result.error().code != code) {
    return is_ok(result);
  }
  return testing::AssertionSuccess();
}

}  // namespace psephos::test
