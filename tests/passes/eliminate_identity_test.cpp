#include "espalier/passes/eliminate_identity.h"

#include <gtest/gtest.h>

#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

struct Case {
  std::string name;
  std::string node;  ///< computes a from r, float[N,4,6,6]
  std::string near;  ///< a form of it that changes something
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{
      {"Identity", "a = Identity(r)", "a = Neg(r)"},
      {"Cast", "a = Cast<to=1>(r)", "b = Cast<to=10>(r) a = Cast<to=1>(b)"},
      {"Reshape", "t = Constant<value_ints=[0,-1,6,6]>() a = Reshape(r, t)",
       "t = Constant<value_ints=[0,6,4,6]>() b = Reshape(r, t) a = Transpose<perm=[0,2,1,3]>(b)"},
      {"Transpose", "a = Transpose<perm=[0,1,2,3]>(r)", "a = Transpose<perm=[0,1,3,2]>(r)"},
      {"Pad", "t = Constant<value_ints=[0,0,0,0,0,0,0,0]>() a = Pad(r, t)",
       "t = Constant<value_ints=[0,0,0,1,0,0,0,-1]>() a = Pad(r, t)"},
      {"Slice",
       "s = Constant<value_ints=[0,0]>() e = Constant<value_ints=[6,9223372036854775807]>()"
       " t = Constant<value_ints=[2,-1]>() a = Slice(r, s, e, t)",
       "s = Constant<value_ints=[-1]>() e = Constant<value_ints=[-9223372036854775807]>()"
       " t = Constant<value_ints=[3]>() d = Constant<value_ints=[-1]>() a = Slice(r, s, e, t, d)"},
      {"Concat", "a = Concat<axis=1>(r)", "b, c = Split<axis=1>(r) a = Concat<axis=1>(c, b)"},
      {"Sum", "a = Sum(r)", "a = Sum(r, r)"},
      {"Resize", "t = Constant<value_floats=[1.0,1.0,1.0,1.0]>() a = Resize(r, , t)",
       "t = Constant<value_floats=[1.0,1.0,2.0,0.5]>() b = Resize(r, , t)"
       " d = Constant<value_ints=[0,4,6,6]>() a = Reshape(b, d)"},
      {"MaxPool", "a = MaxPool<kernel_shape=[1,1]>(r)",
       "a = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(r)"},
      {"AveragePool", "a = AveragePool<kernel_shape=[1,1], strides=[1,1]>(r)",
       "a = AveragePool<kernel_shape=[1,3], pads=[0,1,0,1]>(r)"},
  };
  return kCases;
}

std::string text_of(const std::string& node) {
  return "g (float[N,4,6,6] x) => (float[N,4,6,6] y) { r = Relu(x) " + node + " y = Sigmoid(a) }";
}

class EveryOperator : public testing::TestWithParam<Case> {};

TEST_P(EveryOperator, RemovesWhatGivesBackItsInput) {
  ir::Graph graph = passes_test::graph_of(text_of(GetParam().node));
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(eliminate_identity(), graph), 1U) << kit::to_text(graph);
  EXPECT_EQ(passes_test::ops_of(graph), "Relu Sigmoid");
  EXPECT_TRUE(graph.initializers().empty());
  passes_test::expect_same_outputs(graph, before);
}

TEST_P(EveryOperator, KeepsWhatChangesSomething) {
  passes_test::expect_unchanged(eliminate_identity(), text_of(GetParam().near));
}

INSTANTIATE_TEST_SUITE_P(EliminateIdentity, EveryOperator, testing::ValuesIn(cases()),
                         [](const auto& row) { return row.param.name; });

TEST(EliminateIdentity, RemovesChainsAndKeepsOutputNames) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2] x) => (float[2] y, float[2] z)"
      " { a = Relu(x) b = Identity(a) c = Identity(b) y = Identity(c) z = Neg(b) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(eliminate_identity(), graph), 3U);
  EXPECT_EQ(passes_test::ops_of(graph), "Relu Neg");
  passes_test::expect_same_outputs(graph, before);
}

TEST(EliminateIdentity, KeepsAnIdentityBetweenInputAndOutput) {
  passes_test::expect_unchanged(eliminate_identity(),
                                "g (float[2] x) => (float[2] y) { y = Identity(x) }");
}

TEST(EliminateIdentity, FlattensOnlyWhatIsNoMatrix) {
  ir::Graph matrix = passes_test::graph_of(
      "g (float[N,4] x) => (float[N,4] y) { r = Relu(x) a = Flatten(r) y = Neg(a) }");
  EXPECT_EQ(passes_test::apply(eliminate_identity(), matrix), 1U);
  passes_test::expect_unchanged(
      eliminate_identity(),
      "g (float[N,4,1,1] x) => (float[N,4] y) { r = Relu(x) a = Flatten(r) y = Neg(a) }");
}

}  // namespace
}  // namespace espalier::passes
