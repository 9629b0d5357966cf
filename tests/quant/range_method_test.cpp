#include "espalier/quant/range_method.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/quant/raw_data.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

TEST(RangeMethod, TableHoldsTheDocumentedNames) {
  EXPECT_THAT(range_method_names(),
              testing::ElementsAre("abs_max", "min_max", "avg", "hist", "percentile", "kl", "mse"));
}

TEST(RangeMethod, UnknownNameIsRefusedWithASuggestion) {
  kit::expect_user_error([] { (void)find_range_method("percentil"); }, "did you mean 'percentile'");
  kit::expect_user_error([] { (void)find_range_method("percentil"); }, "unknown range method");
}

TEST(RangeMethod, EveryMethodGivesASoundRange) {
  for (const RangeMethod& method : range_methods()) {
    for (const auto& set : quant_test::raw_data_sets(3000)) {
      for (const auto& grid : quant_test::grid_cases()) {
        SCOPED_TRACE(std::string(method.name) + ", " + set.name + ", " + grid.name);
        const auto statistics = quant_test::statistics_of(set.values);
        const Range range =
            method.find(statistics, {.grid = grid.grid, .symmetric = grid.symmetric});
        EXPECT_LE(range.low, 0);
        EXPECT_GE(range.high, 0);
        EXPECT_GT(range.high - range.low, 0);
        if (grid.symmetric) {
          EXPECT_EQ(range.low, statistics.histogram.min() < 0 ? -range.high : 0);
        }
      }
    }
  }
}

TEST(RangeMethod, SameStatisticsGiveTheSameBits) {
  const auto set = quant_test::raw_data_sets(3000)[2];
  ValueStatistics whole = quant_test::statistics_of(set.values);
  ValueStatistics parts = whole;
  parts.histogram = Histogram();
  for (std::size_t first = set.values.size(); first > 0; first -= 100) {
    parts.histogram.add(std::span(set.values).subspan(first - 100, 100));
  }
  for (const RangeMethod& method : range_methods()) {
    const RangeOptions options{.grid = {.bits = 8}};
    EXPECT_EQ(method.find(whole, options), method.find(parts, options)) << method.name;
  }
}

}  // namespace
}  // namespace espalier::quant
