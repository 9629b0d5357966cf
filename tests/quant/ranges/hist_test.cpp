#include <gtest/gtest.h>

#include "espalier/quant/ranges/ranges.h"
#include "tests/quant/raw_data.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

TEST(HistRange, KeepsAShareOfTheMagnitudes) {
  for (const auto& set : quant_test::raw_data_sets()) {
    SCOPED_TRACE(set.name);
    const auto statistics = quant_test::statistics_of(set.values);
    for (const double percent : {0.99, 0.9999, 1.0}) {
      const double exact = quant_test::exact_magnitude_quantile(set.values, percent);
      const Range range = hist_range(statistics, {.symmetric = true, .hist_percent = percent});
      EXPECT_NEAR(range.high, exact, statistics.histogram.width());
      EXPECT_EQ(range.low, statistics.histogram.min() < 0 ? -range.high : 0);
    }
  }
}

TEST(HistRange, CountsZeros) {
  std::vector<float> values(990, 0.0F);
  for (int index = 1; index <= 10; ++index) values.push_back(static_cast<float>(index));
  const auto statistics = quant_test::statistics_of(values);
  EXPECT_EQ(hist_range(statistics, {.hist_percent = 0.99}).high, 0);
  EXPECT_NEAR(hist_range(statistics, {.hist_percent = 0.995}).high, 5, 0.01);
}

TEST(HistRange, StaysInsideTheObservedRange) {
  const auto statistics = quant_test::statistics_of({-1.0F, 0.5F, 8.0F});
  EXPECT_EQ(hist_range(statistics, {.hist_percent = 1.0}), (Range{-1, 8}));
}

}  // namespace
}  // namespace espalier::quant
