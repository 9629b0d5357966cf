#include "espalier/passes/bypass.h"

#include <gtest/gtest.h>

#include "espalier/ir/verifier.h"
#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(Bypass, ReplacesTheOutputByAnInput) {
  ir::Graph graph =
      passes_test::graph_of("g (float[2] x) => (float[2] y) { a = Identity(x) y = Relu(a) }");
  EXPECT_TRUE(bypass(graph, *graph.nodes()[0], *graph.find_value("x")));
  EXPECT_EQ(passes_test::ops_of(graph), "Relu");
  EXPECT_EQ(graph.nodes()[0]->input(0), graph.find_value("x"));
  EXPECT_TRUE(ir::verify(graph).empty());
}

TEST(Bypass, KeepsTheNameOfAGraphOutput) {
  ir::Graph graph =
      passes_test::graph_of("g (float[2] x) => (float[2] y) { a = Relu(x) y = Identity(a) }");
  EXPECT_TRUE(bypass(graph, *graph.nodes()[1], *graph.find_value("a")));
  EXPECT_EQ(graph.outputs().at(0)->name(), "y");
  EXPECT_EQ(graph.outputs().at(0)->producer()->op(), "Relu");
  EXPECT_TRUE(ir::verify(graph).empty());
}

TEST(Bypass, RefusesWhatWouldLoseAnOutputName) {
  ir::Graph input = passes_test::graph_of("g (float[2] x) => (float[2] y) { y = Identity(x) }");
  EXPECT_FALSE(bypass(input, *input.nodes()[0], *input.find_value("x")));
  ir::Graph both = passes_test::graph_of(
      "g (float[2] x) => (float[2] a, float[2] y) { a = Relu(x) y = Identity(a) }");
  EXPECT_FALSE(bypass(both, *both.nodes()[1], *both.find_value("a")));
  EXPECT_EQ(both.num_nodes(), 2U);
}

TEST(Bypass, RefusesANodeWithASecondUsedOutput) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2] x) => (float[2] y, bool[2] mask) { a, mask = Dropout(x) y = Relu(a) }");
  EXPECT_FALSE(bypass(graph, *graph.nodes()[0], *graph.find_value("x")));
}

}  // namespace
}  // namespace espalier::passes
