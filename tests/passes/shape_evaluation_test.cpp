#include "espalier/passes/shape_evaluation.h"

#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

/// What is known of the value y that the body computes from s = Shape(x), x float[N,3,H,8].
std::string evaluate(const std::string& body, const std::string& type = "int64[M] y") {
  ir::Graph graph =
      passes_test::graph_of("g (float[N,3,H,8] x) => (" + type +
                            ") { zero = Constant<value_ints=[0]>()"
                            " one = Constant<value_ints=[1]>() two = Constant<value_ints=[2]>()"
                            " last = Constant<value_int=-1>() s = Shape(x) " +
                            body + " }");
  onnx::infer_shapes(graph);
  const ShapeValues values = evaluate_shapes(graph);
  const auto place = values.find(graph.find_value("y"));
  if (place == values.end()) return "nothing";
  std::string text = place->second.scalar ? "scalar" : "";
  for (const ShapeNumber& number : place->second.numbers) text += " " + number.text();
  return text;
}

TEST(ShapeEvaluation, FollowsSelections) {
  EXPECT_EQ(evaluate("y = Identity(s)"), " N 3 H 8");
  EXPECT_EQ(evaluate("y = Shape<start=1, end=-1>(x)"), " 3 H");
  EXPECT_EQ(evaluate("y = Gather(s, last)", "int64 y"), "scalar 8");
  EXPECT_EQ(evaluate("i = Concat<axis=0>(one, zero) y = Gather(s, i)"), " 3 N");
  EXPECT_EQ(evaluate("e = Constant<value_ints=[99]>() y = Slice(s, two, e)"), " H 8");
  EXPECT_EQ(evaluate("b = Constant<value_ints=[-1]>() e = Constant<value_ints=[-99]>()"
                     " y = Slice(s, b, e, zero, b)"),
            " 8 H 3 N");
  EXPECT_EQ(evaluate("a, y = Split<axis=0>(s)"), " H 8");
  EXPECT_EQ(evaluate("l = Constant<value_ints=[1,3]>() a, y = Split<axis=0>(s, l)"), " 3 H 8");
}

TEST(ShapeEvaluation, FollowsRanks) {
  EXPECT_EQ(evaluate("a = Gather(s, last) b = Unsqueeze(a, zero) y = Concat<axis=0>(zero, b)"),
            " 0 8");
  EXPECT_EQ(evaluate("a = Gather(s, two) y = Squeeze(a)", "int64 y"), "scalar H");
  EXPECT_EQ(evaluate("m = Constant<value_ints=[-1]>() y = Reshape(s, m)"), " N 3 H 8");
  EXPECT_EQ(evaluate("m = Constant<value_ints=[2,2]>() a = Reshape(s, m) y = Shape(a)"), " 2 2");
}

TEST(ShapeEvaluation, FollowsArithmetic) {
  EXPECT_EQ(evaluate("y = Mul(s, two)"), " 2*N 6 2*H 16");
  EXPECT_EQ(evaluate("y = Sub(s, s)"), " 0 0 0 0");
  EXPECT_EQ(evaluate("y = Div(s, two)"), " (N / 2) 1 (H / 2) 4");
  EXPECT_EQ(evaluate("y = Max(s, two)"), " (2 max N) 3 (2 max H) 8");
  EXPECT_EQ(evaluate("y = Neg(s)"), " -1*N -3 -1*H -8");
  EXPECT_EQ(evaluate("y = ReduceProd<keepdims=0>(s)", "int64 y"), "scalar 8*(3*N * H)");
  EXPECT_EQ(evaluate("a = Slice(s, one, two) y = ReduceProd(a)"), " 3");
}

TEST(ShapeEvaluation, FollowsFloats) {
  const std::string half = " f = Cast<to=1>(s) h = Constant<value_float=2.5>() d = Div(f, h) ";
  EXPECT_EQ(evaluate(half + "c = Ceil(d) y = Cast<to=7>(c)"), " ? 2 ? 4");
  EXPECT_EQ(evaluate(half + "c = Floor(d) y = Cast<to=7>(c)"), " ? 1 ? 3");
  EXPECT_EQ(evaluate(half + "c = Round(d) y = Cast<to=7>(c)"), " ? 1 ? 3");
}

TEST(ShapeEvaluation, FollowsChoices) {
  EXPECT_EQ(evaluate("m = Constant<value_ints=[-1]>() c = Equal(s, m) y = Where(c, one, s)"),
            " N 3 H 8");
  EXPECT_EQ(evaluate("c = Greater(s, two) y = Where(c, s, zero)"), " ? 3 ? 8");
}

TEST(ShapeEvaluation, FollowsGenerators) {
  EXPECT_EQ(evaluate("y = ConstantOfShape<value = int64[1] {7}>(two)"), " 7 7");
  EXPECT_EQ(evaluate("y = Expand(zero, two)"), " 0 0");
  EXPECT_EQ(evaluate("a = Constant<value_int=0>() b = Constant<value_int=7>()"
                     " c = Constant<value_int=3>() y = Range(a, b, c)"),
            " 0 3 6");
}

TEST(ShapeEvaluation, GivesUpOnWhatItCannotFollow) {
  EXPECT_EQ(evaluate("a = Cast<to=1>(s) b = Sqrt(a) y = Cast<to=7>(b)"), "nothing");
  EXPECT_EQ(evaluate("n = Constant<value_ints=[1000000000]>() y = ConstantOfShape<value = int64[1] "
                     "{7}>(n)"),
            "nothing");
  EXPECT_EQ(evaluate("a = ReduceSum(x) b = Reshape(a, one) c = Cast<to=7>(b)"
                     " y = Concat<axis=0>(c, one)"),
            " ? 1");
}

}  // namespace
}  // namespace espalier::passes
