#include <gtest/gtest.h>

#include "espalier/quant/ranges/ranges.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

ValueStatistics of_samples(const std::vector<std::vector<float>>& samples) {
  ValueStatistics all;
  for (const auto& sample : samples) merge_into(all, quant_test::statistics_of(sample));
  return all;
}

TEST(AvgRange, IsTheMeanOfTheSamplesExtremes) {
  const auto statistics = of_samples({{-1, 2}, {-3, 1}, {-2, 9}});
  EXPECT_EQ(avg_range(statistics, {}), (Range{-2, 4}));
  EXPECT_EQ(avg_range(statistics, {.symmetric = true}), (Range{-14.0 / 3, 14.0 / 3}));
}

TEST(AvgRange, ContainsZero) {
  EXPECT_EQ(avg_range(of_samples({{1, 2}, {3, 4}}), {}), (Range{0, 3}));
}

TEST(AvgRange, FallsBackToMinMaxWithoutSamples) {
  ValueStatistics statistics = of_samples({{-1, 2}});
  statistics.samples = 0;
  EXPECT_EQ(avg_range(statistics, {}), (Range{-1, 2}));
}

}  // namespace
}  // namespace espalier::quant
