#include <gtest/gtest.h>

#include "espalier/quant/ranges/ranges.h"
#include "tests/quant/raw_data.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

TEST(PercentileRange, CutsBothEnds) {
  for (const auto& set : quant_test::raw_data_sets()) {
    SCOPED_TRACE(set.name);
    const auto statistics = quant_test::statistics_of(set.values);
    for (const double percent : {99.0, 99.9, 100.0}) {
      const double cut = (1 - percent / 100) / 2;
      const Range range = percentile_range(statistics, {.percentile = percent});
      const double width = statistics.histogram.width();
      EXPECT_NEAR(range.low, std::min(quant_test::exact_quantile(set.values, cut), 0.0), width);
      EXPECT_NEAR(range.high, std::max(quant_test::exact_quantile(set.values, 1 - cut), 0.0),
                  width);
    }
  }
}

TEST(PercentileRange, IsSymmetricOnRequest) {
  const auto set = quant_test::raw_data_sets().front();
  const auto statistics = quant_test::statistics_of(set.values);
  const Range range = percentile_range(statistics, {.symmetric = true, .percentile = 99.0});
  EXPECT_NEAR(range.high, quant_test::exact_magnitude_quantile(set.values, 0.99),
              statistics.histogram.width());
  EXPECT_EQ(range.low, -range.high);
}

}  // namespace
}  // namespace espalier::quant
