#include <gtest/gtest.h>

#include "espalier/quant/ranges/ranges.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::statistics_of;

TEST(AbsMaxRange, IsTheLargestMagnitude) {
  const auto statistics = statistics_of({-3.0F, 0.5F, 2.0F});
  EXPECT_EQ(abs_max_range(statistics, {.symmetric = true}), (Range{-3, 3}));
  EXPECT_EQ(abs_max_range(statistics, {}), (Range{-3, 3}));
}

TEST(AbsMaxRange, StartsAtZeroWithoutNegativeValues) {
  const auto statistics = statistics_of({0.5F, 2.0F});
  EXPECT_EQ(abs_max_range(statistics, {}), (Range{0, 2}));
  EXPECT_EQ(abs_max_range(statistics, {.symmetric = true}), (Range{0, 2}))
      << "all unsigned codes lie above zero; signed ones are symmetric all the same";
  EXPECT_EQ(abs_max_range(statistics_of({-0.5F, 2.0F}), {.symmetric = true}), (Range{-2, 2}));
}

TEST(RangeOfThreshold, CutsTheObservedRange) {
  const auto statistics = statistics_of({-3.0F, 0.5F, 1.0F});
  EXPECT_EQ(range_of_threshold(2, statistics.histogram, false), (Range{-2, 1}));
  EXPECT_EQ(range_of_threshold(2, statistics.histogram, true), (Range{-2, 2}));
}

}  // namespace
}  // namespace espalier::quant
