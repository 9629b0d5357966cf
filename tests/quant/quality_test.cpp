#include "espalier/quant/quality.h"

#include <cmath>
#include <set>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "espalier/quant/distribution.h"
#include "tests/kit/tensors.h"
#include "tests/quant/raw_data.h"

namespace espalier::quant {
namespace {

tensor::QuantParams per_tensor(const tensor::ScaleAndZero& params, const tensor::QuantGrid& grid) {
  return {.grid = grid, .scale = {params.scale}, .zero_point = {params.zero_point}};
}

TEST(Quality, AgreesWithTheRawData) {
  for (const auto& set : quant_test::raw_data_sets()) {
    Histogram histogram;
    histogram.add(set.values);
    const tensor::QuantGrid grid{.bits = 8};
    const Range range{.low = 0.8 * static_cast<double>(histogram.min()),
                      .high = 0.8 * static_cast<double>(histogram.max())};
    const auto params = params_for_range(range, grid, false);
    double energy = 0;
    double outside = 0;
    const Range covered = represented_range(params, grid);
    for (const float raw : set.values) {
      const auto value = static_cast<double>(raw);
      energy += value * value;
      outside += value < covered.low || value > covered.high ? 1 : 0;
    }
    const double error = quant_test::exact_squared_error(set.values, params, grid);
    const Quality quality = quality_of(histogram, per_tensor(params, grid));
    EXPECT_NEAR(quality.sqnr_db, 10 * std::log10(energy / error), 0.3) << set.name;
    EXPECT_NEAR(quality.clipped, outside / static_cast<double>(set.values.size()), 1e-3)
        << set.name;
  }
}

TEST(Quality, IsBoundedWhereNothingIsLost) {
  EXPECT_EQ(decibels(1, 0), kMaxSqnrDb);
  EXPECT_EQ(decibels(0, 1), -kMaxSqnrDb);
  EXPECT_NEAR(decibels(100, 1), 20, 1e-12);
}

TEST(Quality, EnergyDoesNotDependOnTheThreads) {
  const Tensor values = kit::random_tensor({64, 64, 3, 9}, 3, {.normal = true});
  const int before = at::get_num_threads();
  std::set<double> found;
  for (const int threads : {1, 2, 3, 5}) {
    at::set_num_threads(threads);
    found.insert(energy_of(values));
  }
  at::set_num_threads(before);
  EXPECT_EQ(found.size(), 1U);
  EXPECT_NEAR(*found.begin() / static_cast<double>(values.numel()), 1, 0.05);
}

TEST(Quality, MeasuresWeights) {
  const Tensor weight = kit::tensor_of({1.0F, -0.5F, 0.26F, 0.0F}, {2, 2});
  const tensor::QuantParams params{.grid = {.bits = 8, .is_signed = true, .narrow = true},
                                   .scale = {0.5F, 0.25F},
                                   .zero_point = {0, 0},
                                   .axis = 0};
  const double energy = 1 + 0.25 + 0.26 * 0.26;
  EXPECT_NEAR(sqnr_db(weight, params), 10 * std::log10(energy / (0.01 * 0.01)), 0.01);
}

}  // namespace
}  // namespace espalier::quant
