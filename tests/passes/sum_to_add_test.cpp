#include "espalier/passes/sum_to_add.h"

#include <gtest/gtest.h>

#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(SumToAdd, ChainsAdditions) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2,3] x, float[3] w, float[2,1] v) => (float[2,3] y) { [sum] y = Sum(x, w, v, x) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(sum_to_add(), graph), 1U);
  EXPECT_EQ(kit::to_text(graph),
            "inputs x\n"
            "sum_partial = Add(x, w) [sum_add]\n"
            "sum_partial_1 = Add(sum_partial, v) [sum_add_1]\n"
            "y = Add(sum_partial_1, x) [sum]\n"
            "outputs y\n");
  passes_test::expect_same_outputs(graph, before);
}

TEST(SumToAdd, RewritesAResidual) {
  ir::Graph graph =
      passes_test::graph_of("g (float[2] x, float[2] w) => (float[2] y) { y = Sum(x, w) }");
  EXPECT_EQ(passes_test::apply(sum_to_add(), graph), 1U);
  EXPECT_EQ(passes_test::ops_of(graph), "Add");
}

TEST(SumToAdd, KeepsASumOfOne) {
  passes_test::expect_unchanged(sum_to_add(), "g (float[2] x) => (float[2] y) { y = Sum(x) }");
}

}  // namespace
}  // namespace espalier::passes
