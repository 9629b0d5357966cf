#include "espalier/quant/bias_correction.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "espalier/quant/weights.h"
#include "tests/kit/tensors.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::graph_of;

constexpr std::string_view kBiasCorrectionText =
    "g (float[N,4,5,5] x, float[6,2,1,1] w, float[6] b, float[3,150] u, float[3] d)"
    " => (float[N,3] y)"
    " { [conv] a = Conv<group=2>(x, w, b) [flat] f = Flatten(a)"
    "   [gemm] y = Gemm<transB=1>(f, u, d) }";

struct QuantizedNet {
  ir::Graph graph = graph_of(kBiasCorrectionText);
  Statistics statistics = quant_test::calibrated(graph, "generic");
  QuantPlan plan = make_plan(graph, statistics, {.target = "generic", .weight_bits = 4});
};

// Without padding the formula is exact: the mean of each output channel is restored.
TEST(BiasCorrection, IsTheMeanErrorOfEachOutputChannel) {
  const QuantizedNet setup;
  const auto errors = mean_errors(setup.graph, setup.plan, setup.statistics);
  ASSERT_EQ(errors.size(), 2U);
  const Tensor weight = setup.graph.find_value("w")->constant();
  const Tensor difference = weight - rounded_weight(weight, setup.plan.weights.at("w"));
  const std::vector<double>& mean = setup.statistics.channels.at("x").mean;
  for (std::int64_t channel = 0; channel < 6; ++channel) {
    double expected = 0;
    for (std::int64_t input = 0; input < 2; ++input) {
      const auto source = static_cast<std::size_t>((channel / 3) * 2 + input);
      expected += difference[channel][input][0][0].item<double>() * mean[source];
    }
    EXPECT_NEAR(static_cast<double>(errors.at("b")[static_cast<std::size_t>(channel)]), expected,
                1e-6);
  }
  EXPECT_EQ(errors.at("d").size(), 3U);
}

TEST(BiasCorrection, KeepsOnlyWhatLowersTheError) {
  QuantizedNet setup;
  const PlanError likes_d = [](const QuantPlan& plan) {
    return (plan.bias_corrections.contains("d") ? 1.0 : 2.0) +
           (plan.bias_corrections.contains("b") ? 1.0 : 0.0);
  };
  EXPECT_EQ(correct_biases(setup.graph, setup.plan, setup.statistics, likes_d), 1);
  EXPECT_TRUE(setup.plan.bias_corrections.contains("d"));
  EXPECT_FALSE(setup.plan.bias_corrections.contains("b"));
}

TEST(BiasCorrection, LeavesCorrectionsOfOthersAlone) {
  QuantizedNet setup;
  setup.plan.bias_corrections["b"] = std::vector<float>(6, 0.5F);
  int calls = 0;
  const PlanError error = [&](const QuantPlan&) { return 10.0 - ++calls; };
  EXPECT_EQ(correct_biases(setup.graph, setup.plan, setup.statistics, error), 1);
  EXPECT_EQ(setup.plan.bias_corrections.at("b")[0], 0.5F);
}

}  // namespace
}  // namespace espalier::quant
