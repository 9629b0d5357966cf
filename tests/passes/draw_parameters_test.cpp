#include "espalier/passes/draw_parameters.h"

#include <algorithm>
#include <cmath>

#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

double deviation_of(const ir::Graph& graph, std::string_view name) {
  double sum = 0;
  const std::vector<double> values = kit::values_of(graph.find_value(name)->constant());
  for (const double value : values) sum += value * value;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

std::vector<double> magnitudes_of(const ir::Graph& graph, std::string_view name) {
  std::vector<double> values = kit::values_of(graph.find_value(name)->constant());
  for (double& value : values) value = std::abs(value);
  return values;
}

/// A block: its last layer `c` is added to the trunk, `b` is inside, `d` comes behind.
ir::Graph block() {
  return passes_test::graph_of(
      "g (float[N,16,4,4] x, float[64,16,3,3] a, float[64,1,3,3] b, float[64,64,1,1] c,"
      " float[32,64,1,1] d, float[64] s, float[64] e, float[64] m, float[64] variance)"
      " => (float[N,32,2,2] y) {"
      " t = Conv<pads=[1,1,1,1]>(x, a)"
      " r = Conv<group=64, pads=[1,1,1,1]>(t, b)"
      " q = Conv(r, c) n = BatchNormalization(q, s, e, m, variance)"
      " z = Add(n, t) p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(z) y = Conv(p, d) }");
}

TEST(DrawParameters, WeightsKeepActivationsOfOneSize) {
  ir::Graph graph = block();
  EXPECT_EQ(draw_parameters(graph, 1), 8U);
  EXPECT_NEAR(deviation_of(graph, "b"), std::sqrt(2.0 / 9), 0.07 * std::sqrt(2.0 / 9));
  EXPECT_NEAR(deviation_of(graph, "d"), std::sqrt(2.0 / 64), 0.07 * std::sqrt(2.0 / 64));
}

TEST(DrawParameters, BranchesStayBelowTheirTrunk) {
  ir::Graph graph = block();
  draw_parameters(graph, 1);
  EXPECT_NEAR(deviation_of(graph, "c"), std::sqrt(2.0 / 64), 0.07 * std::sqrt(2.0 / 64))
      << "the normalization behind it decides";
  EXPECT_NEAR(deviation_of(graph, "a"), 0.2 * std::sqrt(2.0 / 144), 0.014 * std::sqrt(2.0 / 144))
      << "the trunk is an operand of the sum, too";
}

TEST(DrawParameters, VectorsStayAwayFromZero) {
  ir::Graph graph = block();
  draw_parameters(graph, 1);
  const auto between = [](double low, double high) {
    return testing::Each(testing::AllOf(testing::Ge(low), testing::Le(high)));
  };
  EXPECT_THAT(magnitudes_of(graph, "s"), between(0.1, 0.3));
  EXPECT_THAT(magnitudes_of(graph, "e"), between(0, 0.1));
  EXPECT_THAT(magnitudes_of(graph, "m"), between(0, 0.5));
  EXPECT_THAT(kit::values_of(graph.find_value("variance")->constant()), between(0.5, 1.5));
}

TEST(DrawParameters, OutsideOfBranchesScalesAreAboutOne) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,64,4,4] x, float[64] s, float[64] e, float[64] m, float[64] variance)"
      " => (float[N,64,4,4] y) { y = BatchNormalization(x, s, e, m, variance) }");
  draw_parameters(graph, 1);
  EXPECT_THAT(magnitudes_of(graph, "s"),
              testing::Each(testing::AllOf(testing::Ge(0.5), testing::Le(1.5))));
  EXPECT_GT(std::ranges::max(magnitudes_of(graph, "e")), 0.4);
}

TEST(DrawParameters, GainsThatShutABranchAreOpened) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,4,4,4] x, float[4,4,1,1] w, float[1] shut, float[1] open) => (float[N,4,4,4] y) {"
      " c = Conv(x, w) m = Mul(shut, c) s = Add(m, x) y = Mul(s, open) }");
  graph.set_constant(*graph.find_value("shut"), at::zeros({1}));
  graph.set_constant(*graph.find_value("open"), at::zeros({1}));
  EXPECT_EQ(draw_parameters(graph, 1), 2U);
  EXPECT_THAT(magnitudes_of(graph, "shut"), testing::Each(testing::Ge(0.5)));
  EXPECT_THAT(magnitudes_of(graph, "open"), testing::Each(0.0)) << "no branch: it may mean zero";
}

TEST(DrawParameters, DependOnSeedAndNameOnly) {
  ir::Graph first = block();
  ir::Graph second = block();
  draw_parameters(first, 3);
  draw_parameters(second, 3);
  EXPECT_THAT(second.find_value("c")->constant(),
              kit::HasSameBits(first.find_value("c")->constant()));
  draw_parameters(second, 4);
  EXPECT_NE(
      kit::bit_difference(second.find_value("c")->constant(), first.find_value("c")->constant()),
      "");
}

}  // namespace
}  // namespace espalier::passes
