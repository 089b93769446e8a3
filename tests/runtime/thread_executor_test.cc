#include "psephos/runtime/thread_executor.h"

#include <atomic>
#include <vector>

#include <gtest/gtest.h>

namespace psephos::runtime {
namespace {

TEST(ThreadExecutor, CallsEachTaskOnce) {
  for (const std::size_t threads : {0U, 1U, 2U, 7U}) {
    ThreadExecutor executor(threads);
    EXPECT_GE(executor.concurrency(), 1U);
    for (const std::size_t count : {0U, 1U, 2U, 1000U}) {
      std::vector<std::atomic<int>> calls(count);
      executor.run(count, [&](std::size_t i) { ++calls[i]; });
      for (const auto& call : calls) {
        EXPECT_EQ(call, 1);
      }
    }
  }
}

TEST(ThreadExecutor, WhatTasksWriteIsThereAfterwards) {
  ThreadExecutor executor(4);
  std::vector<std::size_t> squares(10000);
  executor.run(squares.size(), [&](std::size_t i) { squares[i] = i * i; });
  for (std::size_t i = 0; i < squares.size(); ++i) {
    EXPECT_EQ(squares[i], i * i);
  }
}

}  // namespace
}  // namespace psephos::runtime
