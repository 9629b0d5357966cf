#include "espalier/passes/split_shared_vectors.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(SplitSharedVectors, GivesEveryNormalizationItsOwn) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,5,5] x, float[3] s, float[3] b, float[3] m, float[3] variance) => "
      "(float[N,3,5,5] y)"
      " { a = BatchNormalization(x, s, b, m, variance) y = BatchNormalization(a, s, b, m, "
      "variance) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(split_shared_vectors(), graph), 4U);
  EXPECT_EQ(graph.nodes()[0]->input(1)->name(), "s");
  EXPECT_EQ(graph.nodes()[1]->input(1)->name(), "s_1");
  EXPECT_EQ(graph.nodes()[1]->input(4)->name(), "variance_1");
  passes_test::expect_same_outputs(graph, before);
  EXPECT_EQ(passes_test::apply(split_shared_vectors(), graph), 0U);
}

TEST(SplitSharedVectors, SeparatesUsesWithinANode) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,5,5] x, float[3] s, float[3] variance) => (float[N,3,5,5] y)"
      " { y = BatchNormalization(x, s, s, s, variance) }");
  EXPECT_EQ(passes_test::apply(split_shared_vectors(), graph), 2U);
  EXPECT_EQ(graph.nodes()[0]->input(1)->name(), "s");
}

TEST(SplitSharedVectors, VectorsMayHaveOtherAxesOfSizeOne) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,5,5] x, float[1,3,1,1] s) => (float[N,3,5,5] y)"
      " { a = Mul(x, s) y = Add(a, s) }");
  EXPECT_EQ(passes_test::apply(split_shared_vectors(), graph), 1U);
}

TEST(SplitSharedVectors, NormalizationsOfOneChannelHaveTheirOwnToo) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,1,5,5] x, float[1] one, float[1] zero) => (float[N,1,5,5] y)"
      " { y = BatchNormalization(x, one, zero, zero, one) }");
  EXPECT_EQ(passes_test::apply(split_shared_vectors(), graph), 2U);
}

TEST(SplitSharedVectors, TheBiasOfASharedLayerStaysWithIt) {
  passes_test::expect_unchanged(
      split_shared_vectors(),
      "g (float[N,3,5,5] x, float[3,3,1,1] w, float[3] b) => (float[N,3,5,5] y)"
      " { a = Conv(x, w, b) y = Conv(a, w, b) }");
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,5,5] x, float[3,3,1,1] w, float[3,3,1,1] v, float[3] b) => (float[N,3,5,5] y)"
      " { a = Conv(x, w, b) y = Conv(a, v, b) }");
  EXPECT_EQ(passes_test::apply(split_shared_vectors(), graph), 1U);
}

TEST(SplitSharedVectors, WeightsAndNumbersStayShared) {
  passes_test::expect_unchanged(split_shared_vectors(),
                                "g (float[N,3,5,5] x, float[3,3,1,1] w, float[1] c)"
                                " => (float[N,3,5,5] y)"
                                " { a = Conv(x, w) b = Mul(a, c) d = Conv(b, w) y = Mul(d, c) }");
  passes_test::expect_unchanged(split_shared_vectors(),
                                "g (float[N,1,5,5] x1, float[N,1,5,5] x2, float[3,1,1,1] w)"
                                " => (float[N,3,5,5] y)"
                                " { a = Conv(x1, w) b = Conv(x2, w) y = Add(a, b) }");
}

}  // namespace
}  // namespace espalier::passes
