#include <gtest/gtest.h>

#include "espalier/quant/ranges/ranges.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::statistics_of;

TEST(MinMaxRange, IsWhatWasObserved) {
  EXPECT_EQ(min_max_range(statistics_of({-3.0F, 0.5F, 2.0F}), {}), (Range{-3, 2}));
  EXPECT_EQ(min_max_range(statistics_of({-3.0F, 0.5F, 2.0F}), {.symmetric = true}), (Range{-3, 3}));
}

TEST(MinMaxRange, ContainsZero) {
  EXPECT_EQ(min_max_range(statistics_of({1.0F, 2.0F}), {}), (Range{0, 2}));
  EXPECT_EQ(min_max_range(statistics_of({-2.0F, -1.0F}), {}), (Range{-2, 0}));
  EXPECT_EQ(min_max_range(statistics_of({0.0F}), {}), (Range{0, 0}));
}

}  // namespace
}  // namespace espalier::quant
