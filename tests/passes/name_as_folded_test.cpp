#include "espalier/passes/name_as_folded.h"

#include <gtest/gtest.h>

#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(NameAsFolded, GivesTheNormalizedValueTheLayersName) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,8,8] x, float[4,3,3,3] w, float[4] gamma, float[4] beta, float[4] mean,"
      " float[4] variance) => (float[N,4,6,6] y)"
      " { [conv] a = Conv(x, w) [bn] b = BatchNormalization(a, gamma, beta, mean, variance)"
      "   [relu] y = Relu(b) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(name_as_folded(), graph), 1U);
  EXPECT_EQ(kit::to_text(graph),
            "inputs x\n"
            "a_unfolded = Conv(x, w) [conv]\n"
            "a = BatchNormalization(a_unfolded, gamma, beta, mean, variance) [bn]\n"
            "y = Relu(a) [relu]\n"
            "outputs y\n");
  passes_test::expect_same_outputs(graph, before);
}

TEST(NameAsFolded, KeepsTheNamesOfGraphOutputs) {
  passes_test::expect_unchanged(
      name_as_folded(),
      "g (float[N,3,8,8] x, float[4,3,3,3] w, float[4] gamma, float[4] beta, float[4] mean,"
      " float[4] variance) => (float[N,4,6,6] y)"
      " { a = Conv(x, w) y = BatchNormalization(a, gamma, beta, mean, variance) }");
}

}  // namespace
}  // namespace espalier::passes
