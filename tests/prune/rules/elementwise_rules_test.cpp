#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using prune_test::graph_of;
using prune_test::ties;
using prune_test::vetoes;
using testing::HasSubstr;

TEST(ElementwiseRules, BroadcastAxesHaveNoCounterpart) {
  const ir::Graph graph = graph_of(
      "g (float[2,3,4,4] x, float[3,1,1] c, float[4] d) => (float[2,3,4,4] y)"
      " { a = Mul(x, c) y = Add(a, d) }");
  EXPECT_EQ(ties(graph, {{"c", 0}, {"y", 1}, {"d", 0}, {"y", 3}}),
            "0 1 2 | 0 1 2 | 3 4 5 6 | 3 4 5 6");
  EXPECT_NE(ties(graph, {{"c", 1}, {"y", 2}}), "0 | 0 0 0 0");
}

TEST(ElementwiseRules, UnknownSizesFixKnownOnes) {
  const ir::Graph graph =
      graph_of("g (float[2,C] x, float[3] c) => (float[2,3] y) { y = Add(x, c) }");
  const ir::Graph unknown =
      graph_of("g (float[2,C,4] x1, float[2,D,4] x2) => (float[2,E,4] y) { y = Add(x1, x2) }");
  EXPECT_THAT(vetoes(graph, "c", 0), HasSubstr("(Add): the sizes of its inputs and outputs are"));
  EXPECT_EQ(ties(unknown, {{"x1", 1}, {"y", 1}}), "");
}

TEST(ElementwiseRules, VectorsOfNormalizationsLieAlongTheChannels) {
  const ir::Graph graph = graph_of(
      "g (float[2,3,4,4] x, float[3] s, float[3] b, float[3] m, float[3] v)"
      " => (float[2,3,4,4] y) { y = BatchNormalization(x, s, b, m, v) }");
  EXPECT_EQ(ties(graph, {{"y", 1}, {"s", 0}, {"b", 0}, {"m", 0}, {"v", 0}}),
            "0 1 2 | 0 1 2 | 0 1 2 | 0 1 2 | 0 1 2");
  EXPECT_EQ(vetoes(graph, "y", 1), "");
  EXPECT_EQ(vetoes(graph, "y", 2), "");
}

TEST(ElementwiseRules, WhatIsNormalizedOverStays) {
  const ir::Graph graph = graph_of(
      "g (float[2,3,4,4] x, float[3] s, float[3] b, float[4] t)"
      " => (float[2,3,4,4] y, float[2,3,4,4] z, float[2,3,4,4] w) {"
      " y = InstanceNormalization(x, s, b) z = LayerNormalization<axis=-1>(x, t)"
      " w = Softmax<axis=1>(x) }");
  EXPECT_THAT(vetoes(graph, "y", 2), HasSubstr("(InstanceNormalization): it normalizes over all"));
  EXPECT_THAT(vetoes(graph, "t", 0), HasSubstr("(LayerNormalization): it normalizes over all"));
  EXPECT_THAT(vetoes(graph, "w", 1), HasSubstr("(Softmax): it normalizes over all"));
}

TEST(ElementwiseRules, ChosenAxesStayAndOthersMove) {
  const ir::Graph graph = graph_of(
      "g (float[2,3,4] x) => (int64[2,4] y, int64[2,1,4] z) {"
      " y = ArgMax<axis=1, keepdims=0>(x) z = ArgMin<axis=1>(x) }");
  EXPECT_EQ(ties(graph, {{"x", 2}, {"y", 1}, {"z", 2}}), "0 1 2 3 | 0 1 2 3 | 0 1 2 3");
  EXPECT_THAT(vetoes(graph, "x", 1), HasSubstr("(ArgMax): its result is a position"));
}

TEST(ElementwiseRules, NormalizationByTheBatchFixesWhatItAveragesOver) {
  const ir::Graph graph = graph_of(
      "g (float[4,2,6] x, float[2] s, float[2] t, float[2] n, float[2] o, float[6,6] w,"
      " float[6,2] u) => (float[4,2,2] y)"
      " { a = MatMul(x, w) b, m, v = BatchNormalization<training_mode=1>(a, s, t, n, o)"
      "   y = MatMul(b, u) }");
  EXPECT_THAT(vetoes(graph, "a", 2),
              testing::HasSubstr("it normalizes by the mean over the batch"));
}

TEST(ElementwiseRules, GroupNormalizationKeepsBlocksWhole) {
  const ir::Graph graph = graph_of(
      "<ir_version: 10, opset_import: [\"\" : 21]>"
      "g (float[2,6,4,4] x, float[6] s, float[6] b) => (float[2,6,4,4] y)"
      " { y = GroupNormalization<num_groups=3>(x, s, b) }");
  EXPECT_EQ(ties(graph, {{"y", 1}, {"s", 0}}), "0 0 1 1 2 2 | 0 0 1 1 2 2");
}

TEST(ElementwiseRules, LrnAndMeanVarianceFixTheirAxes) {
  const ir::Graph graph = graph_of(
      "g (float[2,3,4,4] x) => (float[2,3,4,4] y, float[2,3,4,4] z) {"
      " y = LRN<size=3>(x) z = MeanVarianceNormalization<axes=[1]>(x) }");
  EXPECT_THAT(vetoes(graph, "y", 1), HasSubstr("(LRN): a window slides over it"));
  EXPECT_THAT(vetoes(graph, "z", 1), HasSubstr("(MeanVarianceNormalization)"));
}

}  // namespace
}  // namespace espalier::prune
