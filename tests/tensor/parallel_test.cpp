#include "espalier/tensor/parallel.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace espalier::tensor {
namespace {

/// True when two iterations meet: neither ends before both have begun.
bool two_meet() {
  std::atomic<int> begun = 0;
  std::atomic<bool> met = false;
  at::parallel_for(0, 2, 1, [&](std::int64_t begin, std::int64_t end) {
    begun += static_cast<int>(end - begin);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (end - begin == 1 && !met && std::chrono::steady_clock::now() < deadline) {
      met = begun == 2;
      std::this_thread::yield();
    }
  });
  return met;
}

TEST(ParallelFor, RunsOnTwoThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  EXPECT_TRUE(two_meet());
  at::set_num_threads(before);
}

}  // namespace
}  // namespace espalier::tensor
