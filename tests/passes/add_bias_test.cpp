#include "espalier/passes/add_bias.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(AddBias, GivesZerosToLayersWithoutBias) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,4,5,5] x, float[6,2,1,1] w, float[6,2,2,2] v, float[4] b) => (float[N,4,6,6] y)"
      " { a = Conv<group=2>(x, w) y = ConvTranspose<group=2>(a, v) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(add_bias(), graph), 2U);
  EXPECT_EQ(graph.nodes()[0]->input(2)->constant().numel(), 6);
  EXPECT_EQ(graph.nodes()[1]->input(2)->constant().numel(), 4);
  passes_test::expect_same_outputs(graph, before, {}, {.absolute = 0, .relative = 0});
}

TEST(AddBias, LeavesOthersAlone) {
  passes_test::expect_unchanged(add_bias(),
                                "g (float[N,4] x, float[4,2] w, float[2] b) => (float[N,2] y)"
                                " { y = Gemm(x, w, b) }");
  passes_test::expect_unchanged(add_bias(),
                                "g (float[1,4,5,5] x, float[6,4,1,1] xw) => (float[1,6,5,5] y)"
                                " { y = Conv(x, xw) }");
}

}  // namespace
}  // namespace espalier::passes
