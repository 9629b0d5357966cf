#include "espalier/train/denormals.h"

#include <atomic>

#include <gtest/gtest.h>

#include "espalier/tensor/parallel.h"

namespace espalier::train {
namespace {

/// Number of threads on which half of the smallest normal number is zero.
int flushing_threads() {
  std::atomic<int> count = 0;
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t begin, std::int64_t end) {
    volatile float smallest = 1.17549435e-38F;
    volatile float half = smallest * 0.5F;
    if (half == 0.0F) count += static_cast<int>(end - begin);
  });
  return count;
}

TEST(FlushDenormals, HoldsOnEveryThreadWhileItLives) {
  EXPECT_EQ(flushing_threads(), 0);
  {
    const FlushDenormals flush;
    EXPECT_EQ(flushing_threads(), at::get_num_threads());
  }
  EXPECT_EQ(flushing_threads(), 0);
}

}  // namespace
}  // namespace espalier::train
