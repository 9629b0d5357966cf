#include "espalier/quant/distribution.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/quant/raw_data.h"

namespace espalier::quant {
namespace {

Histogram filled_histogram(const std::vector<float>& values) {
  Histogram histogram;
  histogram.add(values);
  return histogram;
}

TEST(Distribution, IntegratesWhatLiesBelow) {
  for (const auto& set : quant_test::raw_data_sets()) {
    SCOPED_TRACE(set.name);
    const Histogram histogram = filled_histogram(set.values);
    const Distribution distribution(histogram);
    EXPECT_EQ(distribution.count(), static_cast<double>(set.values.size()));
    for (const double share : {0.05, 0.3, 0.77, 1.0}) {
      const double x = quant_test::exact_quantile(set.values, share) + distribution.width();
      double first = 0;
      double second = 0;
      double count = 0;
      double near = 0;  // values whose bin the limit may cut
      for (const float raw : set.values) {
        const auto value = static_cast<double>(raw);
        if (std::abs(value - x) <= distribution.width()) ++near;
        if (value > x || value == 0) continue;
        ++count;
        first += value;
        second += value * value;
      }
      const auto found = distribution.below(x);
      const double size = std::abs(x) + 1;
      EXPECT_NEAR(found.zeroth, count, near + 1);
      EXPECT_NEAR(found.first, first,
                  near * size + 0.01 * size * count * distribution.width() + 1e-6);
      EXPECT_NEAR(found.second, second, near * size * size + 0.01 * second + 1e-6);
    }
  }
}

TEST(Distribution, FindsQuantiles) {
  for (const auto& set : quant_test::raw_data_sets()) {
    SCOPED_TRACE(set.name);
    const Distribution distribution(filled_histogram(set.values));
    for (const double share : {0.001, 0.25, 0.5, 0.9, 0.9999, 1.0}) {
      EXPECT_NEAR(distribution.quantile(share), quant_test::exact_quantile(set.values, share),
                  distribution.width());
      EXPECT_NEAR(distribution.magnitude_quantile(share),
                  quant_test::exact_magnitude_quantile(set.values, share), distribution.width());
    }
    EXPECT_LE(distribution.quantile(1.0), distribution.max());
    EXPECT_GE(distribution.quantile(0.0), distribution.min());
  }
}

TEST(Distribution, CountsWhatIsOutside) {
  for (const auto& set : quant_test::raw_data_sets()) {
    const Distribution distribution(filled_histogram(set.values));
    const Range range{.low = -0.7, .high = 1.3};
    double outside = 0;
    double near = 0;
    for (const float raw : set.values) {
      const auto value = static_cast<double>(raw);
      outside += value < range.low || value > range.high ? 1 : 0;
      near += std::min(std::abs(value - range.low), std::abs(value - range.high)) <=
                      distribution.width()
                  ? 1
                  : 0;
    }
    EXPECT_NEAR(distribution.outside(range), outside, near + 1e-6) << set.name;
  }
}

// The whole point: the error of a quantizer from the histogram is that of the raw data.
TEST(Distribution, PredictsSquaredErrors) {
  for (const auto& set : quant_test::raw_data_sets()) {
    const Distribution distribution(filled_histogram(set.values));
    for (const auto& grid : quant_test::grid_cases()) {
      for (const double share : {1.0, 0.7, 0.3}) {
        SCOPED_TRACE(set.name + ", " + grid.name);
        const Range range{.low = std::min(distribution.min() * share, 0.0),
                          .high = std::max(distribution.max() * share, 0.0)};
        const auto params = params_for_range(range, grid.grid, grid.symmetric);
        const double exact = quant_test::exact_squared_error(set.values, params, grid.grid);
        EXPECT_NEAR(distribution.squared_error(params, grid.grid), exact, 0.05 * exact + 1e-9);
      }
    }
  }
}

TEST(Distribution, SplitsErrorsIntoRoundingAndClipping) {
  const std::vector<float> values{0.5F, 0.25F, 10.0F, -4.0F};
  const Distribution distribution(filled_histogram(values));
  const tensor::QuantGrid grid{.bits = 8};
  const tensor::ScaleAndZero params{1.0F / 64.0F, 128};  // represents [-2, 127/64]
  const auto errors = distribution.errors(params, grid);
  const double high = 10.0 - 127.0 / 64.0;
  EXPECT_NEAR(errors.clipped, high * high + 2.0 * 2.0, 0.01);
  EXPECT_LT(errors.inside, 2 * std::pow(1.0 / 64.0, 2));
}

TEST(Distribution, KnowsNothingOfNoValues) {
  const Distribution distribution{Histogram()};
  EXPECT_EQ(distribution.count(), 0);
  EXPECT_EQ(distribution.energy(), 0);
  const Distribution zeros(filled_histogram({0.0F, 0.0F}));
  EXPECT_EQ(zeros.squared_error({1.0F, 0}, {.bits = 8}), 0);
  EXPECT_EQ(zeros.quantile(0.5), 0);
}

TEST(Distribution, HandlesAValueOnANegativeBinEdge) {
  const Distribution distribution(filled_histogram({-4096.0F, 1.0F}));
  EXPECT_NEAR(distribution.below(-4096.0 + 2).zeroth, 1, 1e-9);
  EXPECT_NEAR(distribution.energy(), 4096.0 * 4096.0, 0.01 * 4096.0 * 4096.0);
}

TEST(Distribution, KeepsWhatLiesOnTheLowestEdge) {
  // A clipped value: much at -1, the bin above it filled as well.
  std::vector<float> values(100, -1.0F);
  for (int index = 0; index < 1000; ++index) {
    values.push_back(-1.0F + static_cast<float>(index) * 0.002F);
  }
  const Distribution distribution(filled_histogram(values));
  EXPECT_NEAR(distribution.outside({.low = -0.99, .high = 2}), 106, 2);
  EXPECT_NEAR(distribution.below(5).zeroth, 1099, 1) << "all but the zero";
}

TEST(Distribution, ParamsUseAllCodesOfAnUnsignedGridWithoutNegatives) {
  const tensor::QuantGrid grid{.bits = 8};
  const auto params = params_for_range({.low = 0, .high = 2.55}, grid, true);
  EXPECT_EQ(params.zero_point, 0);
  EXPECT_FLOAT_EQ(params.scale, 0.01F);
  EXPECT_EQ(params_for_range({.low = -1, .high = 1}, grid, true).zero_point, 128);
  const Range covered = represented_range(params, grid);
  EXPECT_EQ(covered.low, 0);
  EXPECT_NEAR(covered.high, 2.55, 1e-6);
}

}  // namespace
}  // namespace espalier::quant
