#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/prune/channel_map.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using prune_test::graph_of;
using prune_test::ties;
using prune_test::vetoes;
using testing::HasSubstr;

TEST(LinearRules, ConvolutionTiesWeightsToBothSides) {
  const ir::Graph graph = graph_of(
      "g (float[2,3,4,4] x, float[2,3,1,1] w, float[2] b) => (float[2,2,4,4] y)"
      " { y = Conv(x, w, b) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"w", 1}, {"y", 1}, {"w", 0}, {"b", 0}}),
            "0 1 2 | 0 1 2 | 3 4 | 3 4 | 3 4");
  EXPECT_THAT(vetoes(graph, "x", 2), HasSubstr("(Conv): a window slides over it"));
  EXPECT_EQ(vetoes(graph, "y", 1), "");
}

TEST(LinearRules, DepthwiseTiesInputsToOutputs) {
  const ir::Graph graph = graph_of(
      "g (float[2,3,4,4] x, float[6,1,1,1] w) => (float[2,6,4,4] y)"
      " { y = Conv<group=3>(x, w) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"y", 1}, {"w", 0}}), "0 1 2 | 0 0 1 1 2 2 | 0 0 1 1 2 2");
}

TEST(LinearRules, ManyGroupsGoWhole) {
  const ir::Graph graph = graph_of(
      "g (float[2,6,4,4] x, float[3,2,1,1] w) => (float[2,3,4,4] y)"
      " { y = Conv<group=3>(x, w) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"y", 1}}), "0 0 1 1 2 2 | 0 1 2");
  EXPECT_THAT(vetoes(graph, "w", 1), HasSubstr("(Conv): every group keeps its width"));
}

TEST(LinearRules, FewGroupsLoseTheSamePlaces) {
  const ir::Graph graph = graph_of(
      "g (float[2,6,4,4] x, float[8,3,1,1] w) => (float[2,8,4,4] y)"
      " { y = Conv<group=2>(x, w) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"w", 1}, {"y", 1}, {"w", 0}}),
            "0 1 2 0 1 2 | 0 1 2 | 3 4 5 6 3 4 5 6 | 3 4 5 6 3 4 5 6");
}

TEST(LinearRules, TransposedConvolutionHasItsWeightTheOtherWayRound) {
  const ir::Graph graph = graph_of(
      "g (float[2,3,4,4] x, float[3,2,2,2] w, float[2] b, float[4,3,1,1] v)"
      " => (float[2,2,5,5] y) { y = ConvTranspose(x, w, b) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"w", 0}, {"y", 1}, {"w", 1}, {"b", 0}}),
            "0 1 2 | 0 1 2 | 3 4 | 3 4 | 3 4");
  const ir::Graph grouped = graph_of(
      "g (float[2,6,4,4] x, float[6,4,1,1] w) => (float[2,8,4,4] y)"
      " { y = ConvTranspose<group=2>(x, w) }");
  EXPECT_EQ(ties(grouped, {{"x", 1}, {"w", 0}, {"y", 1}, {"w", 1}}),
            "0 1 2 0 1 2 | 0 1 2 0 1 2 | 3 4 5 6 3 4 5 6 | 3 4 5 6");
  const ir::Graph depthwise = graph_of(
      "g (float[2,3,4,4] x, float[3,1,1,1] w) => (float[2,3,4,4] y)"
      " { y = ConvTranspose<group=3>(x, w) }");
  EXPECT_EQ(ties(depthwise, {{"x", 1}, {"y", 1}}), "0 1 2 | 0 1 2");
}

TEST(LinearRules, GemmFollowsItsTransposes) {
  const ir::Graph graph = graph_of(
      "g (float[2,3] x, float[4,3] w, float[4] b) => (float[2,4] y)"
      " { y = Gemm<transB=1>(x, w, b) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"w", 1}, {"y", 1}, {"w", 0}, {"b", 0}}),
            "0 1 2 | 0 1 2 | 3 4 5 6 | 3 4 5 6 | 3 4 5 6");
  const ir::Graph turned =
      graph_of("g (float[3,2] x, float[3,4] w) => (float[2,4] y) { y = Gemm<transA=1>(x, w) }");
  EXPECT_EQ(ties(turned, {{"x", 0}, {"w", 0}, {"y", 1}, {"w", 1}}),
            "0 1 2 | 0 1 2 | 3 4 5 6 | 3 4 5 6");
}

TEST(LinearRules, MatMulTiesInnerAxesAndBatches) {
  const ir::Graph graph = graph_of(
      "g (float[5,1,2,3] x1, float[4,3,6] x2) => (float[5,4,2,6] y) { y = MatMul(x1, x2) }");
  EXPECT_EQ(ties(graph, {{"x1", 3}, {"x2", 1}}), "0 1 2 | 0 1 2");
  EXPECT_EQ(ties(graph, {{"x2", 0}, {"y", 1}}), "0 1 2 3 | 0 1 2 3");
  EXPECT_EQ(ties(graph, {{"x2", 2}, {"y", 3}}), "0 1 2 3 4 5 | 0 1 2 3 4 5");
  EXPECT_EQ(ties(graph, {{"x1", 0}, {"y", 0}}), "0 1 2 3 4 | 0 1 2 3 4");
}

TEST(LinearRules, EinsumTiesEqualLabels) {
  const ir::Graph graph = graph_of(
      "g (float[2,3] x1, float[3,4] x2) => (float[2,4] y)"
      " { y = Einsum<equation=\"ij,jk->ik\">(x1, x2) }");
  EXPECT_EQ(ties(graph, {{"x1", 1}, {"x2", 0}, {"x2", 1}, {"y", 1}}),
            "0 1 2 | 0 1 2 | 3 4 5 6 | 3 4 5 6");
  const ir::Graph diagonal =
      graph_of("g (float[3,3] x) => (float[3] y) { y = Einsum<equation=\"ii->i\">(x) }");
  EXPECT_THAT(vetoes(diagonal, "x", 0),
              HasSubstr("(Einsum): no rule for diagonals, ellipses of unknown rank"));
  const ir::Graph open = graph_of(
      "g (float[1,3,4,4] x1, float[3,2] x2) => (float[1,2,4,4] y)"
      " { y = Einsum<equation=\"nc...,cd->nd...\">(x1, x2) }");
  EXPECT_EQ(ties(open, {{"x1", 1}, {"x2", 0}, {"x2", 1}, {"y", 1}}), "0 1 2 | 0 1 2 | 3 4 | 3 4");
}

TEST(LinearRules, EinsumWithAWeightIsALayer) {
  const auto layers = [](const std::string& equation, const std::string& weight,
                         const std::string& output) {
    const ir::Graph graph =
        graph_of("g (float[2,3,4,4] x, float[" + weight + "] w) => (float[" + output +
                 "] y) { [mix] m = Einsum<equation=\"" + equation + "\">(x, w) y = Relu(m) }");
    const ChannelMap map(graph);
    std::string text;
    for (const LayerAxes& layer : map.layers()) {
      text += fmt::format("{} filters {} output {} inputs {}", layer.node->name(),
                          layer.filters.axis, layer.output.axis, layer.weight_inputs.axis);
    }
    return text;
  };
  EXPECT_EQ(layers("nchw,dc->ndhw", "6,3", "2,6,4,4"), "mix filters 0 output 1 inputs 1");
  EXPECT_EQ(layers("nchw,cd->nhwd", "3,6", "2,4,4,6"), "mix filters 1 output 3 inputs 0");
  EXPECT_EQ(layers("nchw,cde->ndehw", "3,6,5", "2,6,5,4,4"), "") << "two axes of filters";
  EXPECT_EQ(layers("nchw,c->nchw", "3", "2,3,4,4"), "") << "factors";
}

}  // namespace
}  // namespace espalier::prune
