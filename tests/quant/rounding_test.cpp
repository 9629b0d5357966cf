#include "espalier/quant/rounding.h"

#include <cmath>
#include <limits>

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/quant/planner.h"
#include "espalier/quant/weights.h"
#include "tests/kit/tensors.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::graph_of;
using quant_test::source_of;

constexpr tensor::QuantGrid kGrid{.bits = 4, .is_signed = true, .narrow = true};

/// A covariance with strong correlations.
Tensor covariance_of(std::int64_t size, std::uint64_t seed) {
  const Tensor mix = kit::random_tensor({size, size}, seed, {.normal = true});
  return mix.matmul(mix.t()).div(static_cast<double>(size)).unsqueeze(0).contiguous();
}

tensor::QuantParams params_of(std::int64_t channels, float scale) {
  const auto count = static_cast<std::size_t>(channels);
  return {.grid = kGrid,
          .scale = std::vector<float>(count, scale),
          .zero_point = std::vector<std::int32_t>(count, 0),
          .axis = 0};
}

double error_of(const Tensor& weight, const tensor::QuantParams& params,
                const std::vector<std::int8_t>& rounding, const Tensor& covariance) {
  WeightPlan plan;
  plan.params = params;
  plan.rounding = rounding;
  const Tensor error = (weight - rounded_weight(weight, plan)).to(at::kDouble);
  const Tensor rows = error.reshape({error.size(0), -1});
  const Tensor second = covariance[0].to(at::kDouble);
  return (rows.matmul(second) * rows).sum().item<double>() / static_cast<double>(rows.size(0));
}

TEST(Rounding, ReportsTheErrorItReaches) {
  const Tensor weight = kit::random_tensor({6, 20}, 2);
  const Tensor covariance = covariance_of(20, 3);
  const auto params = params_of(6, 0.12F);
  RowErrors errors;
  const auto rounding = round_weight(weight, params, 0, covariance, {}, errors);
  EXPECT_NEAR(errors.before, error_of(weight, params, {}, covariance), 1e-5);
  EXPECT_NEAR(errors.after, error_of(weight, params, rounding, covariance), 1e-5);
  EXPECT_LT(errors.after, 0.7 * errors.before);
  for (const std::int8_t move : rounding) EXPECT_LE(std::abs(move), 1);
}

TEST(Rounding, IsNearTheBestOfAllRoundings) {
  constexpr std::int64_t kSize = 7;
  double ours = 0;
  double best = 0;
  double nearest = 0;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Tensor weight = kit::random_tensor({1, kSize}, 10 + seed);
    const Tensor covariance = covariance_of(kSize, 30 + seed);
    const auto params = params_of(1, 0.3F);
    RowErrors errors;
    (void)round_weight(weight, params, 0, covariance, {}, errors);
    double least = std::numeric_limits<double>::infinity();
    for (int code = 0; code < 2187; ++code) {  // 3^7
      std::vector<std::int8_t> moves;
      for (int rest = code, index = 0; index < kSize; ++index, rest /= 3) {
        moves.push_back(static_cast<std::int8_t>(rest % 3 - 1));
      }
      least = std::min(least, error_of(weight, params, moves, covariance));
    }
    ours += errors.after;
    best += least;
    nearest += errors.before;
  }
  EXPECT_LT(ours, 2.5 * best);
  EXPECT_LT(ours, 0.6 * nearest);
}

TEST(Rounding, StaysOnTheGrid) {
  // Weights at the ends of the grid, which the correlations push outwards.
  const Tensor weight = kit::tensor_of({0.7F, -0.7F, 0.69F, -0.66F, 0.05F, 0.04F}, {1, 6});
  RowErrors errors;
  const auto params = params_of(1, 0.1F);
  const auto rounding = round_weight(weight, params, 0, covariance_of(6, 5), {}, errors);
  WeightPlan plan;
  plan.params = params;
  plan.rounding = rounding;
  EXPECT_LE(rounded_weight(weight, plan).abs().max().item<float>(), 0.7001F);
}

TEST(Rounding, LeavesUncorrelatedInputsAtNearest) {
  const Tensor weight = kit::random_tensor({3, 10}, 6);
  Tensor covariance = covariance_of(10, 7) * 0;
  covariance[0].diagonal().fill_(1.0);
  RowErrors errors;
  const auto rounding = round_weight(weight, params_of(3, 0.15F), 0, covariance, {}, errors);
  EXPECT_THAT(rounding, testing::Each(0));
  EXPECT_EQ(errors.before, errors.after);
}

TEST(Rounding, GivesTheSameForEveryNumberOfThreads) {
  const Tensor weight = kit::random_tensor({9, 4, 3, 3}, 8);
  const Tensor covariance = covariance_of(36, 9);
  RowErrors errors;
  const auto one = round_weight(weight, params_of(9, 0.12F), 0, covariance, {.threads = 1}, errors);
  for (const int threads : {2, 5, 40}) {
    EXPECT_EQ(
        round_weight(weight, params_of(9, 0.12F), 0, covariance, {.threads = threads}, errors),
        one);
  }
}

TEST(Rounding, KeepsTheLayoutOfTheWeight) {
  const Tensor weight = kit::random_tensor({20, 6}, 2);
  const Tensor covariance = covariance_of(20, 3);
  auto params = params_of(6, 0.12F);
  RowErrors errors;
  const auto by_rows = round_weight(weight.t().contiguous(), params, 0, covariance, {}, errors);
  params.axis = 1;
  const auto by_columns = round_weight(weight, params, 1, covariance, {}, errors);
  for (std::size_t row = 0; row < 20; ++row) {
    for (std::size_t column = 0; column < 6; ++column) {
      EXPECT_EQ(by_columns[row * 6 + column], by_rows[column * 20 + row]);
    }
  }
}

constexpr std::string_view kRoundingText =
    "g (float[N,3,8,8] x, float[8,3,3,3] w, float[8] b, float[4,8,3,3] v, float[4] c)"
    " => (float[N,4,6,6] y)"
    " { [c1] a = Conv<pads=[1,1,1,1]>(x, w, b) [relu] r = Relu(a) [c2] y = Conv(r, v, c) }";

/// Squared error of the outputs when the second layer's weight is rounded as planned.
double output_error(const ir::Graph& graph, const QuantPlan& plan, const Tensor& data) {
  const std::vector<Tensor> inputs{data};
  const Tensor exact = exec::Program::compile(graph, {}).run(inputs)[0];
  ir::Graph changed = graph.clone();
  ir::Value& weight = *changed.find_value("v");
  changed.set_constant(weight, rounded_weight(weight.constant(), plan.weights.at("v")));
  ir::Value& bias = *changed.find_value("c");
  if (plan.bias_corrections.contains("c")) {
    changed.set_constant(bias, bias.constant() + kit::tensor_of(plan.bias_corrections.at("c")));
  }
  const Tensor found = exec::Program::compile(changed, {}).run(inputs)[0];
  return (found - exact).square().mean().item<double>();
}

TEST(Rounding, LowersTheErrorOfTheOutputs) {
  const ir::Graph graph = graph_of(kRoundingText);
  const Tensor data = kit::random_tensor({64, 3, 8, 8}, 12, {.normal = true});
  QuantPlan plan = make_plan(graph, quant_test::calibrated(graph, "x86"), {.weight_bits = 4});
  const double before = output_error(graph, plan, data);
  const OpenSource open = [&] { return source_of({data.narrow(0, 0, 48)}, 16); };
  const RoundingReport report = optimize_rounding(graph, plan, open, {});
  EXPECT_TRUE(report.left.empty());
  ASSERT_EQ(report.layers.size(), 2U);
  EXPECT_LT(output_error(graph, plan, data), 0.75 * before);
  // The report's figure is about the covariance, so it is what is left after the bias correction.
  EXPECT_NEAR(report.layers[1].after, output_error(graph, plan, data),
              0.35 * report.layers[1].after);
}

TEST(Rounding, IsDeterministicAndKeepsToItsMemory) {
  const ir::Graph graph = graph_of(kRoundingText);
  const Tensor data = kit::random_tensor({20, 3, 8, 8}, 12, {.normal = true});
  const QuantPlan start = make_plan(graph, quant_test::calibrated(graph, "x86"), {});
  int opened = 0;
  const OpenSource open = [&] {
    ++opened;
    return source_of({data}, 6);
  };
  QuantPlan one = start;
  (void)optimize_rounding(graph, one, open, {.data = {.threads = 1}, .threads = 1});
  EXPECT_EQ(opened, 1);
  QuantPlan several = start;
  (void)optimize_rounding(graph, several, open,
                          {.data = {.threads = 3}, .max_bytes = 70000, .threads = 3});
  EXPECT_EQ(opened, 3);  // one run over the samples a layer
  EXPECT_EQ(several, one);
  QuantPlan none = start;
  const RoundingReport report = optimize_rounding(graph, none, open, {.max_bytes = 100});
  EXPECT_THAT(report.left, testing::ElementsAre("c1", "c2"));
  EXPECT_EQ(none, start);
}

}  // namespace
}  // namespace espalier::quant
