#include "espalier/passes/split_normalized_weights.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(SplitNormalizedWeights, EveryUseBeforeFoldingHasItsOwn) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,5,5] x, float[3,3,1,1] w, float[3] s, float[3] b, float[3] m, float[3] v)"
      " => (float[N,3,5,5] z)"
      " { a = Conv(x, w) y = BatchNormalization(a, s, b, m, v) c = Conv(y, w) z = Conv(c, w) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(split_normalized_weights(), graph), 2U);
  EXPECT_EQ(graph.nodes()[0]->input(1)->name(), "w");
  EXPECT_EQ(graph.nodes()[2]->input(1)->name(), "w_1");
  EXPECT_EQ(graph.nodes()[3]->input(1)->name(), "w_2");
  passes_test::expect_same_outputs(graph, before);
  EXPECT_EQ(passes_test::apply(split_normalized_weights(), graph), 0U);
}

TEST(SplitNormalizedWeights, WithoutANormalizationTheyStayShared) {
  passes_test::expect_unchanged(split_normalized_weights(),
                                "g (float[N,3,5,5] x, float[3,3,1,1] w) => (float[N,3,5,5] y)"
                                " { a = Conv(x, w) b = Relu(a) y = Conv(b, w) }");
}

TEST(SplitNormalizedWeights, WhatOthersReadTooStays) {
  passes_test::expect_unchanged(
      split_normalized_weights(),
      "g (float[N,3,5,5] x, float[3,3,1,1] w, float[3] s, float[3] b, float[3] m, float[3] v)"
      " => (float[N,3,5,5] y, float[3,3,1,1] r)"
      " { a = Conv(x, w) c = BatchNormalization(a, s, b, m, v) y = Conv(c, w) r = Relu(w) }");
}

}  // namespace
}  // namespace espalier::passes
