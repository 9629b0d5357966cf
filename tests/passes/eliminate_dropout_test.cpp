#include "espalier/passes/eliminate_dropout.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(EliminateDropout, RemovesItOutsideOfTraining) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2] x) => (float[2] y) { r = Relu(x) ratio = Constant<value_float=0.5>()"
      " a = Dropout(r, ratio) b = Dropout(a) y = Neg(b) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(eliminate_dropout(), graph), 2U);
  EXPECT_EQ(passes_test::ops_of(graph), "Relu Neg");
  passes_test::expect_same_outputs(graph, before);
}

TEST(EliminateDropout, KeepsTrainingModeAndUsedMasks) {
  passes_test::expect_unchanged(
      eliminate_dropout(),
      "g (float[2] x, bool xtraining) => (float[2] y) { ratio = Constant<value_float=0.5>()"
      " a = Dropout(x, ratio, xtraining) y = Neg(a) }");
  passes_test::expect_unchanged(
      eliminate_dropout(),
      "g (float[2] x) => (float[2] y, bool[2] m) { a, m = Dropout(x) y = Neg(a) }");
}

TEST(EliminateDropout, ReadsAConstantTrainingMode) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2] x, float t) => (float[2] y) { ratio = Constant<value_float=0.5>()"
      " m = Cast<to=9>(t) a = Dropout(x, ratio, m) y = Neg(a) }");
  ir::Node& cast = *graph.nodes()[0];
  ASSERT_EQ(cast.op(), "Cast");
  ir::Value& off = graph.add_initializer("off", at::zeros({}, at::kBool));
  graph.replace_all_uses(*cast.output(), off);
  graph.erase_dead();
  EXPECT_EQ(passes_test::apply(eliminate_dropout(), graph), 1U);
}

}  // namespace
}  // namespace espalier::passes
