#include "espalier/passes/fold_batch_norm.h"

#include <gtest/gtest.h>

#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

using passes_test::apply;
using passes_test::expect_same_outputs;
using passes_test::expect_unchanged;
using passes_test::graph_of;
using passes_test::ops_of;

constexpr std::string_view kConv =
    "g (float[N,3,8,8] x, float[4,3,3,3] w, float[4] gamma, float[4] beta, float[4] mean,"
    " float[4] variance) => (float[N,4,8,8] y)"
    " { a = Conv<pads=[1,1,1,1]>(x, w)"
    "   y = BatchNormalization<epsilon=0.01>(a, gamma, beta, mean, variance) }";

TEST(FoldBatchNorm, FoldsIntoTheConvBefore) {
  ir::Graph graph = graph_of(kConv);
  const ir::Graph before = graph.clone();
  EXPECT_EQ(apply(fold_batch_norm(), graph), 1U);
  EXPECT_EQ(ops_of(graph), "Conv");
  EXPECT_EQ(graph.initializers().size(), 2U) << "weight and new bias; parameters are gone";
  expect_same_outputs(graph, before);
}

TEST(FoldBatchNorm, FoldsIntoAConvAfterItThatDoesNotPad) {
  ir::Graph graph = graph_of(
      "g (float[N,4,8,8] x, float[3,4,3,3] w, float[3] b, float[4] gamma, float[4] beta,"
      " float[4] mean, float[4] variance) => (float[N,3,6,6] y)"
      " { a = BatchNormalization(x, gamma, beta, mean, variance) y = Conv(a, w, b) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(apply(fold_batch_norm(), graph), 1U);
  EXPECT_EQ(ops_of(graph), "Conv");
  expect_same_outputs(graph, before);
}

TEST(FoldBatchNorm, FoldsAGemmAndATransposedConv) {
  ir::Graph gemm = graph_of(
      "g (float[N,3] x, float[3,4] w, float[4] b, float[4] gamma, float[4] beta, float[4] mean,"
      " float[4] variance) => (float[N,4] y)"
      " { a = Gemm(x, w, b) y = BatchNormalization(a, gamma, beta, mean, variance) }");
  const ir::Graph gemm_before = gemm.clone();
  EXPECT_EQ(apply(fold_batch_norm(), gemm), 1U);
  expect_same_outputs(gemm, gemm_before);
  ir::Graph deconv = graph_of(
      "g (float[N,4,5,5] x, float[4,2,2,2] w, float[4] gamma, float[4] beta, float[4] mean,"
      " float[4] variance) => (float[N,4,10,10] y)"
      " { a = ConvTranspose<group=2, strides=[2,2]>(x, w)"
      "   y = BatchNormalization(a, gamma, beta, mean, variance) }");
  const ir::Graph deconv_before = deconv.clone();
  EXPECT_EQ(apply(fold_batch_norm(), deconv), 1U);
  EXPECT_EQ(ops_of(deconv), "ConvTranspose");
  expect_same_outputs(deconv, deconv_before);
}

TEST(FoldBatchNorm, CopiesParametersThatAnotherLayerShares) {
  ir::Graph graph = graph_of(
      "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4] b, float[4] gamma, float[4] mean,"
      " float[4] variance) => (float[N,4,8,8] y, float[N,4,8,8] z)"
      " { a = Conv(x, w, b) y = BatchNormalization(a, gamma, b, mean, variance)"
      "   z = Conv(x, w, b) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(apply(fold_batch_norm(), graph), 1U);
  expect_same_outputs(graph, before);
}

TEST(FoldBatchNorm, KeepsWhatItMayNotFold) {
  // The value between has another use.
  expect_unchanged(fold_batch_norm(),
                   "g (float[N,3,8,8] x, float[4,3,1,1] w, float[4] gamma, float[4] beta,"
                   " float[4] mean, float[4] variance) => (float[N,4,8,8] y, float[N,4,8,8] z)"
                   " { a = Conv(x, w) y = BatchNormalization(a, gamma, beta, mean, variance)"
                   "   z = Relu(a) }");
  // The value between is a graph output.
  expect_unchanged(fold_batch_norm(),
                   "g (float[N,3,8,8] x, float[4,3,1,1] w, float[4] gamma, float[4] beta,"
                   " float[4] mean, float[4] variance) => (float[N,4,8,8] y, float[N,4,8,8] a)"
                   " { a = Conv(x, w) y = BatchNormalization(a, gamma, beta, mean, variance) }");
  // A padded zero would not have been shifted.
  expect_unchanged(fold_batch_norm(),
                   "g (float[N,4,8,8] x, float[3,4,3,3] w, float[4] gamma, float[4] beta,"
                   " float[4] mean, float[4] variance) => (float[N,3,8,8] y)"
                   " { a = BatchNormalization(x, gamma, beta, mean, variance)"
                   "   y = Conv<pads=[1,1,1,1]>(a, w) }");
  // Computed parameters.
  expect_unchanged(fold_batch_norm(),
                   "g (float[N,3,8,8] x, float[4,3,1,1] w, float[4] xgamma, float[4] beta,"
                   " float[4] mean, float[4] variance) => (float[N,4,8,8] y)"
                   " { a = Conv(x, w) y = BatchNormalization(a, xgamma, beta, mean, variance) }");
  // Nothing linear beside it.
  expect_unchanged(fold_batch_norm(),
                   "g (float[N,4,8,8] x, float[4] gamma, float[4] beta, float[4] mean,"
                   " float[4] variance) => (float[N,4,8,8] y)"
                   " { a = Relu(x) y = BatchNormalization(a, gamma, beta, mean, variance) }");
}

TEST(FoldBatchNorm, KeepsTrainingStatistics) {
  ir::Graph graph = graph_of(kConv);
  graph.nodes()[1]->set("training_mode", std::int64_t{1});
  EXPECT_EQ(apply(fold_batch_norm(), graph), 0U);
}

TEST(FoldBatchNorm, KeepsANegativeVariance) {
  ir::Graph graph = graph_of(kConv);
  graph.set_constant(*graph.find_value("variance"), kit::tensor_of({1, 1, -1, 1}));
  EXPECT_EQ(apply(fold_batch_norm(), graph), 0U);
  EXPECT_EQ(ops_of(graph), "Conv BatchNormalization");
}

}  // namespace
}  // namespace espalier::passes
