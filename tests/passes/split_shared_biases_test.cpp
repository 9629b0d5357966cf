#include "espalier/passes/split_shared_biases.h"

#include <gtest/gtest.h>

#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(SplitSharedBiases, GivesEveryLayerItsOwn) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,5,5] x, float[3,3,1,1] w, float[3] b) => (float[N,3,5,5] y)"
      " { a = Conv(x, w, b) c = Conv(a, w, b) y = Conv(c, w, b) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(split_shared_biases(), graph), 2U);
  EXPECT_EQ(graph.nodes()[0]->input(2)->name(), "b");
  EXPECT_NE(graph.nodes()[1]->input(2), graph.nodes()[2]->input(2));
  EXPECT_EQ(graph.nodes()[1]->input(1), graph.nodes()[2]->input(1)) << "weights stay shared";
  passes_test::expect_same_outputs(graph, before);
  EXPECT_EQ(passes_test::apply(split_shared_biases(), graph), 0U);
}

TEST(SplitSharedBiases, SeparatesABiasFromOtherUses) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3] x, float[3,3] w, float[3] b) => (float[N,3] y)"
      " { a = Gemm(x, w, b) y = Mul(a, b) }");
  EXPECT_EQ(passes_test::apply(split_shared_biases(), graph), 1U);
  EXPECT_EQ(graph.nodes()[0]->input(2)->name(), "b_1");
}

TEST(SplitSharedBiases, KeepsSharedConstantsThatAreNoBias) {
  passes_test::expect_unchanged(split_shared_biases(),
                                "g (float[3] x, float[3] b) => (float[3] y)"
                                " { a = Add(x, b) y = Mul(a, b) }");
}

}  // namespace
}  // namespace espalier::passes
