#include "espalier/passes/reduce_mean_to_global_average_pool.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(ReduceMeanToGlobalAveragePool, KeepsDimensions) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,5,6] x) => (float[N,3,1,1] y) { y = ReduceMean<axes=[-1,2]>(x) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(reduce_mean_to_global_average_pool(), graph), 1U);
  EXPECT_EQ(passes_test::ops_of(graph), "GlobalAveragePool");
  EXPECT_TRUE(graph.nodes()[0]->attributes().empty());
  passes_test::expect_same_outputs(graph, before);
}

TEST(ReduceMeanToGlobalAveragePool, FlattensWhereDimensionsWereDropped) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,5,6] x, float[3,2] w) => (float[N,2] y, float[N,3] m)"
      " { m = ReduceMean<axes=[2,3], keepdims=0>(x) y = MatMul(m, w) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(reduce_mean_to_global_average_pool(), graph), 1U);
  EXPECT_EQ(passes_test::ops_of(graph), "GlobalAveragePool Flatten MatMul");
  passes_test::expect_same_outputs(graph, before);
}

TEST(ReduceMeanToGlobalAveragePool, ReadsAxesOfOpset18) {
  ir::Graph graph = passes_test::graph_of(
      "<ir_version: 8, opset_import: [\"\": 18]>"
      "g (float[N,3,5,6] x) => (float[N,3,1,1] y)"
      " { t = Constant<value_ints=[2,3]>() y = ReduceMean(x, t) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(reduce_mean_to_global_average_pool(), graph), 1U);
  EXPECT_TRUE(graph.initializers().empty());
  passes_test::expect_same_outputs(graph, before);
}

TEST(ReduceMeanToGlobalAveragePool, KeepsOtherMeans) {
  passes_test::expect_unchanged(
      reduce_mean_to_global_average_pool(),
      "g (float[N,3,5,6] x) => (float[N,1,1,6] y) { y = ReduceMean<axes=[1,2]>(x) }");
  passes_test::expect_unchanged(
      reduce_mean_to_global_average_pool(),
      "g (float[N,3,5,6] x) => (float[N,3,5,1] y) { y = ReduceMean<axes=[3]>(x) }");
  passes_test::expect_unchanged(
      reduce_mean_to_global_average_pool(),
      "g (float[N,3,5,6] x) => (float[N,3,1,1] y) { y = ReduceMax<axes=[2,3]>(x) }");
  passes_test::expect_unchanged(
      reduce_mean_to_global_average_pool(),
      "g (int64[N,3,5,6] x) => (int64[N,3,1,1] y) { y = ReduceMean<axes=[2,3]>(x) }");
}

}  // namespace
}  // namespace espalier::passes
