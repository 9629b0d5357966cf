#include "espalier/passes/fold_mul_add.h"

#include <gtest/gtest.h>

#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

struct Case {
  std::string name;
  std::string body;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases{
      {"Mul", "y = Mul(a, c)"},         {"MulReversed", "y = Mul(c, a)"},
      {"Add", "y = Add(a, c)"},         {"Sub", "y = Sub(a, c)"},
      {"SubReversed", "y = Sub(c, a)"}, {"Div", "y = Div(a, variance)"},
      {"Scalar", "y = Mul(a, s)"},      {"Chain", "d = Mul(a, c) e = Add(d, s) y = Sub(e, c)"},
  };
  return kCases;
}

class EveryForm : public testing::TestWithParam<Case> {};

TEST_P(EveryForm, FoldsIntoTheConvBefore) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,6,6] x, float[4,3,3,3] w, float[4] b, float[4,1,1] c, float[1] s,"
      " float[1,4,1,1] variance) => (float[N,4,6,6] y)"
      " { a = Conv<pads=[1,1,1,1]>(x, w, b) " +
      GetParam().body + " }");
  const ir::Graph before = graph.clone();
  EXPECT_GE(passes_test::apply(fold_mul_add(), graph), 1U);
  EXPECT_EQ(passes_test::ops_of(graph), "Conv");
  passes_test::expect_same_outputs(graph, before);
}

INSTANTIATE_TEST_SUITE_P(FoldMulAdd, EveryForm, testing::ValuesIn(cases()),
                         [](const auto& row) { return row.param.name; });

TEST(FoldMulAdd, FoldsWhatComesBeforeAConv) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,6,6] x, float[1,3,1,1] m, float[1,3,1,1] variance, float[4,3,3,3] w)"
      " => (float[N,4,4,4] y) { a = Sub(x, m) b = Div(a, variance) y = Conv(b, w) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(fold_mul_add(), graph), 2U);
  EXPECT_EQ(passes_test::ops_of(graph), "Conv");
  passes_test::expect_same_outputs(graph, before);
}

TEST(FoldMulAdd, KeepsAShiftBeforeAPaddedConv) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,6,6] x, float[1,3,1,1] m, float[1,3,1,1] variance, float[4,3,3,3] w)"
      " => (float[N,4,6,6] y)"
      " { a = Sub(x, m) b = Div(a, variance) y = Conv<pads=[1,1,1,1]>(b, w) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(fold_mul_add(), graph), 1U);
  EXPECT_EQ(passes_test::ops_of(graph), "Sub Conv");
  passes_test::expect_same_outputs(graph, before);
}

TEST(FoldMulAdd, FoldsIntoAGemm) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3] x, float[3,4] w, float[4] b, float[1,4] c) => (float[N,4] y)"
      " { a = Gemm(x, w, b) y = Mul(a, c) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(fold_mul_add(), graph), 1U);
  passes_test::expect_same_outputs(graph, before);
}

TEST(FoldMulAdd, FoldsIntoABatchNormalization) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,4,6,6] x, float[4] gamma, float[4] beta, float[4] mean, float[4] variance,"
      " float[4,1,1] c, float[4,1,1] d) => (float[N,4,6,6] y)"
      " { a = BatchNormalization(x, gamma, beta, mean, variance) b = Mul(a, c) y = Add(b, d) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(fold_mul_add(), graph), 2U);
  EXPECT_EQ(passes_test::ops_of(graph), "BatchNormalization");
  passes_test::expect_same_outputs(graph, before);
}

TEST(FoldMulAdd, KeepsWhatIsNotPerChannel) {
  const std::string conv =
      "g (float[N,3,6,6] x, float[4,3,1,1] w, float[6] c, float[1,4,6,6] d, float[5,1,1,1] e,"
      " float[1,1,1,1,1] f) => (float[N,4,6,6] y) { a = Conv(x, w) ";
  for (const char* body :
       {"y = Mul(a, c) }", "y = Add(a, d) }", "y = Div(c, a) }", "y = Mul(a, a) }"}) {
    passes_test::expect_unchanged(fold_mul_add(), conv + body);
  }
  passes_test::expect_unchanged(
      fold_mul_add(),
      "g (float[1,3,6,6] x, float[4,3,1,1] w, float[5,1,1,1] c) => (float[5,4,6,6] y)"
      " { a = Conv(x, w) y = Mul(a, c) }");
  passes_test::expect_unchanged(
      fold_mul_add(),
      "g (float[N,3,6,6] x, float[4,3,1,1] w, float[4,1,1] c) => (float[N,4,6,6] y,"
      " float[N,4,6,6] a) { a = Conv(x, w) y = Mul(a, c) }");
}

TEST(FoldMulAdd, KeepsAConstantThatWidensTheInput) {
  passes_test::expect_unchanged(
      fold_mul_add(),
      "g (float[N,1,6,6] x, float[1,3,1,1] c, float[4,3,1,1] w) => (float[N,4,6,6] y)"
      " { a = Mul(x, c) y = Conv(a, w) }");
}

}  // namespace
}  // namespace espalier::passes
