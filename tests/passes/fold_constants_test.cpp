#include "espalier/passes/fold_constants.h"

#include <gtest/gtest.h>

#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

using passes_test::apply;
using passes_test::expect_unchanged;
using passes_test::graph_of;
using passes_test::ops_of;

TEST(FoldConstants, ComputesWhatConstantsDecide) {
  ir::Graph graph = graph_of(
      "g (float[N,3] x, float[4,3] w, float[3,4] v) => (float[N,4] y)"
      " { a = Transpose(w) b = Add(a, v) y = MatMul(x, b) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(apply(fold_constants(), graph), 2U);
  EXPECT_EQ(ops_of(graph), "MatMul");
  ASSERT_EQ(graph.initializers().size(), 1U);
  EXPECT_EQ(graph.initializers()[0]->name(), "b");
  passes_test::expect_same_outputs(graph, before);
}

TEST(FoldConstants, KeepsIntegerAndDoubleTypes) {
  ir::Graph graph = graph_of(
      "g (int64[3] x) => (int64[3] y, double[2] z) {"
      " a = Constant<value = int64[3] {1, 2, 9007199254740993}>()"
      " b = Constant<value = int64[1] {2}>() c = Sub(a, b) y = Add(x, c)"
      " d = Constant<value = double[2] {0.1, 1e300}>() e = Neg(d) z = Neg(e) }");
  EXPECT_EQ(apply(fold_constants(), graph), 2U);
  EXPECT_THAT(graph.find_value("c")->constant(),
              kit::HasSameBits(kit::integers_of({-1, 0, 9007199254740991})));
  const Tensor folded = graph.find_value("e")->constant();
  EXPECT_EQ(folded.scalar_type(), at::kDouble);
  EXPECT_EQ(kit::values_of(folded).at(0), -0.1);
  EXPECT_EQ(ops_of(graph), "Add Neg") << "a graph output stays computed";
}

TEST(FoldConstants, LeavesRandomQuantizingAndUnknownOperators) {
  expect_unchanged(fold_constants(),
                   "g (float[2] x) => (float[2] y)"
                   " { a = RandomNormal<shape=[2]>() y = Add(x, a) }");
  expect_unchanged(fold_constants(),
                   "g (float[2] x, float[2] w, float s) => (float[2] y)"
                   " { q = QuantizeLinear(w, s) d = DequantizeLinear(q, s) y = Add(x, d) }");
  expect_unchanged(fold_constants(),
                   "<ir_version: 8, opset_import: [\"\": 17, \"other\": 1]>"
                   "g (float[2] x, float[2] w) => (float[2] y)"
                   " { a = other.Thing(w) y = Add(x, a) }");
}

TEST(FoldConstants, LeavesWhatWouldGrowTheModel) {
  expect_unchanged(fold_constants(),
                   "g (float[1] x) => (float[M] y) {"
                   " n = Constant<value = int64[2] {100000, 100000}>()"
                   " a = ConstantOfShape(n) b = ReduceSum(a) y = Add(x, b) }");
  expect_unchanged(fold_constants(),
                   "g (float[1] x, float[1] w) => (float[A,B] y) {"
                   " n = Constant<value = int64[2] {100000, 100000}>()"
                   " a = Expand(w, n) y = Add(x, a) }");
  expect_unchanged(fold_constants(),
                   "g (int64[1] x) => (int64[M] y) {"
                   " s = Constant<value = int64 {0}>() d = Constant<value = int64 {1}>()"
                   " e = Constant<value = int64 {10000000000}>()"
                   " a = Range(s, e, d) y = Max(x, a) }");
}

TEST(FoldConstants, ObeysItsLimits) {
  constexpr std::string_view kFoldConstantsText =
      "g (float[64] x, float[1] w) => (float[64] y) {"
      " n = Constant<value = int64[1] {64}>() a = Expand(w, n) y = Add(x, a) }";
  ir::Graph tight = graph_of(kFoldConstantsText);
  EXPECT_EQ(apply(fold_constants({.max_result_bytes = 255}), tight), 0U);
  EXPECT_EQ(apply(fold_constants({.max_growth_bytes = 200}), tight), 0U);
  EXPECT_EQ(apply(fold_constants({.max_result_bytes = 256}), tight), 1U);
}

TEST(FoldConstants, LeavesANodeThatCannotRun) {
  ir::Graph graph;
  graph.opsets[""] = 17;
  ir::Value& input =
      graph.add_input("x", {.dtype = tensor::DType::Float32, .shape = tensor::make_shape({2})});
  ir::Value& left = graph.add_initializer("l", kit::tensor_of({1, 2}));
  ir::Value& right = graph.add_initializer("r", kit::tensor_of({1, 2, 3}));
  ir::Node& bad = graph.add_node({.op = "Add", .inputs = {&left, &right}});
  graph.add_output(*graph.add_node({.op = "Add", .inputs = {&input, bad.output()}}).output());
  EXPECT_EQ(apply(fold_constants(), graph), 0U);
  EXPECT_EQ(graph.num_nodes(), 2U);
}

}  // namespace
}  // namespace espalier::passes
