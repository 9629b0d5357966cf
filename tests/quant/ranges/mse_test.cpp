#include <limits>

#include <gtest/gtest.h>

#include "espalier/quant/ranges/ranges.h"
#include "tests/quant/raw_data.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::GridCase;

/// Least error over a dense grid of both ends, on the raw data.
double least_exact_error(const std::vector<float>& values, const Range& full,
                         const GridCase& grid) {
  double least = std::numeric_limits<double>::infinity();
  const bool two_ends = !grid.symmetric && full.low < 0 && full.high > 0;
  for (int high = 1; high <= 24; ++high) {
    for (int low = two_ends ? 1 : 24; low <= 24; ++low) {
      const double top = full.high * high / 24.0;
      const double bottom = two_ends ? full.low * low / 24.0 : full.low * high / 24.0;
      const auto params = params_for_range({.low = bottom, .high = top}, grid.grid, grid.symmetric);
      least = std::min(least, quant_test::exact_squared_error(values, params, grid.grid));
    }
  }
  return least;
}

TEST(MseRange, IsAsGoodAsTryingEverything) {
  for (const auto& set : quant_test::raw_data_sets(2000)) {
    const auto statistics = quant_test::statistics_of(set.values);
    for (const GridCase& grid : quant_test::grid_cases()) {
      SCOPED_TRACE(set.name + ", " + grid.name);
      const RangeOptions options{.grid = grid.grid, .symmetric = grid.symmetric};
      const Range full = min_max_range(statistics, options);
      const Range range = mse_range(statistics, options);
      const auto params = params_for_range(range, grid.grid, grid.symmetric);
      const double found = quant_test::exact_squared_error(set.values, params, grid.grid);
      EXPECT_LE(found, 1.05 * least_exact_error(set.values, full, grid) + 1e-9);
      EXPECT_GE(range.low, full.low);
      EXPECT_LE(range.high, full.high);
      EXPECT_LE(range.low, 0);
      EXPECT_GE(range.high, 0);
    }
  }
}

// A signed tensor keeps its negative part, whatever the search starts from.
TEST(MseRange, DoesNotClipAtZero) {
  const auto set = quant_test::raw_data_sets()[0];
  const Range range = mse_range(quant_test::statistics_of(set.values),
                                {.grid = {.bits = 8, .is_signed = true}, .symmetric = true});
  EXPECT_LT(range.low, -2);
}

TEST(MseRange, ClipsMoreWithFewerBits) {
  const auto set = quant_test::raw_data_sets()[2];
  const auto statistics = quant_test::statistics_of(set.values);
  double before = std::numeric_limits<double>::infinity();
  for (const int bits : {16, 8, 6, 4, 3, 2}) {
    const Range range = mse_range(statistics, {.grid = {.bits = bits}});
    EXPECT_LE(range.high - range.low, before * 1.001) << bits;
    before = range.high - range.low;
  }
}

TEST(MseRange, LeavesAnEmptyRangeAlone) {
  EXPECT_EQ(mse_range(quant_test::statistics_of({0.0F}), {.grid = {.bits = 8}}), (Range{0, 0}));
}

}  // namespace
}  // namespace espalier::quant
