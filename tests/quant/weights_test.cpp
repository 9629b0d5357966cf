#include "espalier/quant/weights.h"

#include <cmath>
#include <limits>

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::quant {
namespace {

constexpr tensor::QuantGrid kGrid{.bits = 8, .is_signed = true, .narrow = true};
constexpr tensor::QuantGrid kReduced{.bits = 8, .is_signed = true, .narrow = true, .reduced = true};

double error_of(const Tensor& weight, const WeightPlan& plan) {
  return (rounded_weight(weight, plan) - weight).square().sum().item<double>();
}

TEST(Weights, AbsMaxScalesEachChannel) {
  const Tensor weight = kit::tensor_of({1.27F, -0.5F, 0.1F, -2.54F, 0.3F, 0.0F}, {2, 3});
  const WeightPlan plan =
      plan_weight(weight, "w", {.grid = kGrid, .axis = 0, .least_error = false});
  EXPECT_THAT(plan.params.scale, testing::ElementsAre(0.01F, 0.02F));
  EXPECT_THAT(plan.params.zero_point, testing::ElementsAre(0, 0));
  EXPECT_EQ(plan.params.axis, 0);
  const WeightPlan columns =
      plan_weight(weight, "w", {.grid = kGrid, .axis = 1, .least_error = false});
  EXPECT_THAT(columns.params.scale, testing::ElementsAre(2.54F / 127, 0.5F / 127, 0.1F / 127));
  const WeightPlan whole =
      plan_weight(weight, "w", {.grid = kGrid, .axis = -1, .least_error = false});
  EXPECT_THAT(whole.params.scale, testing::ElementsAre(2.54F / 127));
  EXPECT_FALSE(whole.params.per_channel());
}

TEST(Weights, LeastErrorIsNeverWorseThanAbsMax) {
  const Tensor weight = kit::random_tensor({16, 8, 3, 3}, 3, {.normal = true});
  for (const int bits : {8, 6, 4, 3}) {
    tensor::QuantGrid grid = kGrid;
    grid.bits = bits;
    const WeightPlan simple = plan_weight(weight, "w", {.grid = grid, .least_error = false});
    const WeightPlan best = plan_weight(weight, "w", {.grid = grid, .least_error = true});
    EXPECT_LE(error_of(weight, best), error_of(weight, simple)) << bits;
    EXPECT_GE(best.sqnr_db, simple.sqnr_db) << bits;
    if (bits <= 4) {
      EXPECT_LT(error_of(weight, best), 0.9 * error_of(weight, simple)) << bits;
      EXPECT_GT(best.channels_at_limit, 0);
    }
    EXPECT_EQ(simple.channels_at_limit, 0);
  }
}

TEST(Weights, LeastErrorIsAsGoodAsTryingEverything) {
  const Tensor weight = kit::random_tensor({4, 50}, 9, {.normal = true});
  tensor::QuantGrid grid = kGrid;
  grid.bits = 4;
  const WeightPlan plan = plan_weight(weight, "w", {.grid = grid});
  for (std::int64_t channel = 0; channel < 4; ++channel) {
    const Tensor row = weight.narrow(0, channel, 1);
    double least = std::numeric_limits<double>::infinity();
    for (int step = 1; step <= 1000; ++step) {
      WeightPlan trial = plan;
      trial.params.scale = {static_cast<float>(row.abs().max().item<double>() / 7 * step / 1000)};
      trial.params.zero_point = {0};
      least = std::min(least, error_of(row, trial));
    }
    WeightPlan found = plan;
    found.params.scale = {plan.params.scale[static_cast<std::size_t>(channel)]};
    found.params.zero_point = {0};
    EXPECT_LE(error_of(row, found), 1.05 * least);
  }
}

TEST(Weights, ImportanceProtectsWhatMatters) {
  // Input channel 0 holds small weights, channel 1 one large weight.
  Tensor weight = kit::random_tensor({1, 2, 5, 5}, 4, {.low = -0.1, .high = 0.1});
  weight[0][1][0][0] = 3.0F;
  tensor::QuantGrid grid = kGrid;
  grid.bits = 4;
  const std::vector<double> first{1.0, 0.0};
  const WeightPlan plain = plan_weight(weight, "w", {.grid = grid});
  const WeightPlan weighted = plan_weight(weight, "w", {.grid = grid, .importance = first});
  const auto error_of_first = [&](const WeightPlan& plan) {
    return (rounded_weight(weight, plan) - weight).select(1, 0).square().sum().item<double>();
  };
  EXPECT_LT(error_of_first(weighted), error_of_first(plain));
}

TEST(Weights, ReducedRangeUsesSevenBits) {
  const Tensor weight = kit::random_tensor({4, 9}, 5);
  const WeightPlan plan = plan_weight(weight, "w", {.grid = kReduced, .least_error = false});
  const Tensor codes = tensor::quantize(weight, plan.params);
  EXPECT_EQ(codes.abs().max().item<int>(), 63);
}

TEST(Weights, ADeadChannelGetsAFineScale) {
  Tensor weight = kit::random_tensor({3, 4}, 6);
  weight[1].zero_();
  const WeightPlan plan = plan_weight(weight, "w", {.grid = kGrid});
  EXPECT_EQ(plan.params.scale[1], std::min(plan.params.scale[0], plan.params.scale[2]));
  const WeightPlan dead = plan_weight(weight * 0, "w", {.grid = kGrid});
  EXPECT_THAT(dead.params.scale, testing::Each(1.0F));
  const WeightPlan tiny = plan_weight(weight * 1e-44, "w", {.grid = kGrid});
  EXPECT_THAT(tiny.params.scale, testing::Each(1.0F));
}

TEST(Weights, NamesWeightsThatAreNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const Tensor weight = kit::tensor_of({1.0F, bad}, {1, 2});
    kit::expect_user_error([&] { (void)plan_weight(weight, "layer.weight", {.grid = kGrid}); },
                           "initializer 'layer.weight'");
  }
}

TEST(Weights, WidensScalesForBiasesBeyondInt32) {
  WeightPlan plan;
  plan.params = {.grid = kGrid, .scale = {1e-9F, 0.01F}, .zero_point = {0, 0}, .axis = 0};
  const Tensor bias = kit::tensor_of({40.0F, 40.0F});
  EXPECT_EQ(fit_bias(plan, bias, 0.001F), 1);
  EXPECT_EQ(plan.params.scale[1], 0.01F);
  const double code = 40.0 / (0.001 * static_cast<double>(plan.params.scale[0]));
  EXPECT_LE(code, 1073741824.0 * 1.000001);
  EXPECT_GE(code, 1073741824.0 * 0.99999);
}

TEST(Weights, RoundsAsPlanned) {
  const Tensor weight = kit::tensor_of({0.24F, -0.26F, 0.5F}, {1, 3});
  WeightPlan plan;
  plan.params = {.grid = kGrid, .scale = {0.1F}, .zero_point = {0}, .axis = 0};
  EXPECT_THAT(rounded_weight(weight, plan),
              kit::IsCloseTo(kit::tensor_of({0.2F, -0.3F, 0.5F}, {1, 3})));
  plan.rounding = {1, 1, 0};
  EXPECT_THAT(rounded_weight(weight, plan),
              kit::IsCloseTo(kit::tensor_of({0.3F, -0.2F, 0.5F}, {1, 3})));
}

}  // namespace
}  // namespace espalier::quant
