#include "espalier/quant/treatment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::graph_of;

/// Treatment and reason of one node of a graph.
NodeDecision decide(std::string_view text, std::string_view node, std::string_view target = "x86",
                    const PlacementOptions& options = {}) {
  const ir::Graph graph = graph_of(text);
  return Decisions(graph, find_target(target), options).of(*graph.find_node(node));
}

void expect_float(const NodeDecision& decision, std::string_view reason) {
  EXPECT_EQ(decision.treatment, Treatment::Float);
  EXPECT_THAT(decision.reason, testing::HasSubstr(std::string(reason)));
  EXPECT_TRUE(decision.reads.empty());
}

TEST(Treatment, NeedsAConstantFloatWeight) {
  expect_float(decide("g (float[N,4,8,8] x, float[4,4,1,1] x2) => (float[N,4,8,8] y)"
                      " { [conv] y = Conv(x, x2) }",
                      "conv"),
               "its weight is computed");
  expect_float(decide("g (float[N,4,8,8] x, float[4,4,1,1] w, float[4] x2) => (float[N,4,8,8] y)"
                      " { [conv] y = Conv(x, w, x2) }",
                      "conv"),
               "its bias is computed");
  expect_float(decide("g (double[N,4,8,8] x, double[4,4,1,1] x2) => (double[N,4,8,8] y)"
                      " { [conv] y = Conv(x, x2) }",
                      "conv"),
               "its result is not float32");
}

TEST(Treatment, NeedsABiasOfOneValueAChannel) {
  const auto with_bias = [](const std::string& sizes) {
    return decide("g (float[2,4] x, float[4,4] w, float[" + sizes +
                      "] b) => (float[2,4] y) { [gemm] y = Gemm(x, w, b) }",
                  "gemm");
  };
  EXPECT_EQ(with_bias("4").treatment, Treatment::Weighted);
  EXPECT_EQ(with_bias("1,4").treatment, Treatment::Weighted);
  for (const char* sizes : {"2,4", "2,1", "1"}) {
    expect_float(with_bias(sizes), "not one value for each output channel");
  }
}

TEST(Treatment, LeavesOneSpatialAxisFloatWhereOpenVinoRuns) {
  const std::string_view text =
      "g (float[N,4,8] x, float[4,4,3] w) => (float[N,4,6] y) { [conv] y = Conv(x, w) }";
  expect_float(decide(text, "conv", "x86"), "wrongly in integers on one spatial axis");
  expect_float(decide(text, "conv", "openvino"), "wrongly in integers on one spatial axis");
  EXPECT_EQ(decide(text, "conv", "onnxruntime").treatment, Treatment::Weighted);
}

TEST(Treatment, LeavesProductsFloatWhoseWeightStandsInFront) {
  const std::string_view in_front =
      "g (float[4,8] x, float[4,4] w) => (float[4,8] y) { [mul] y = MatMul(w, x) }";
  const std::string_view behind =
      "g (float[4,4] x, float[4,8] w) => (float[4,8] y) { [mul] y = MatMul(x, w) }";
  for (const char* target : {"x86", "onnxruntime", "openvino", "tensorrt", "generic"}) {
    SCOPED_TRACE(target);
    expect_float(decide(in_front, "mul", target), "its weight is the first factor");
    EXPECT_EQ(decide(behind, "mul", target).treatment, Treatment::Weighted);
  }
}

TEST(Treatment, NeedsAPlainGemm) {
  const auto text = [](std::string_view attributes) {
    return "g (float[N,4] x, float[4,4] w) => (float[N,4] y) { [gemm] y = Gemm<" +
           std::string(attributes) + ">(x, w) }";
  };
  EXPECT_EQ(decide(text("alpha=1.0, transB=1"), "gemm").treatment, Treatment::Weighted);
  expect_float(decide(text("alpha=0.5"), "gemm"), "change the product");
  expect_float(decide("g (float[4,4] x, float[4,4] w) => (float[4,4] y)"
                      " { [gemm] y = Gemm<transA=1>(x, w) }",
                      "gemm"),
               "change the product");
}

TEST(Treatment, QuantizesProductsOfTwoComputedValues) {
  const std::string_view text =
      "g (float[N,4] x, float[4,4] w, float[4,4] v) => (float[N,N] y)"
      " { [q] a = MatMul(x, w) [k] b = MatMul(x, v) [t] c = Transpose<perm=[1,0]>(b)"
      "   [qk] y = MatMul(a, c) }";
  const NodeDecision decision = decide(text, "qk");
  EXPECT_EQ(decision.treatment, Treatment::Quantized);
  EXPECT_THAT(decision.reads, testing::ElementsAre(0, 1));
}

TEST(Treatment, KnowsNoOperatorOutsideTheTables) {
  expect_float(decide("g (float[N,4] x) => (float[N,4] y) { [erf] y = Erf(x) }", "erf"),
               "target 'x86' has no integer form of it");
}

TEST(Treatment, LeavesShapesOut) {
  const NodeDecision decision =
      decide("g (float[N,4] x) => (int64[2] y) { [shape] y = Shape(x) }", "shape");
  EXPECT_EQ(decision.treatment, Treatment::Float);
  EXPECT_FALSE(decision.computes_floats);
}

TEST(Treatment, KeepsGraphOutputsPrecise) {
  expect_float(decide("g (float[N,4,8,8] x, float[4,4,1,1] w) => (float[N,4,8,8] y)"
                      " { [conv] a = Conv(x, w) [sig] y = Sigmoid(a) }",
                      "sig"),
               "its result is a graph output");
  expect_float(decide("g (float[N,4,8,8] x, float[4,4,1,1] w) => (float[N,4] y)"
                      " { [conv] a = Conv(x, w) [pool] p = GlobalAveragePool(a)"
                      "   [flat] y = Flatten(p) }",
                      "pool"),
               "its result is a graph output");
}

TEST(Treatment, MovesNearestResizesOnly) {
  const auto text = [](std::string_view mode) {
    return "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v) => (float[N,4,16,16] y)"
           " <float[4] scales = {1.0,1.0,2.0,2.0}>"
           " { [c1] a = Conv(x, w) [up] u = Resize<mode=\"" +
           std::string(mode) + "\">(a, , scales) [c2] b = Conv(u, v) [neg] y = Neg(b) }";
  };
  EXPECT_EQ(decide(text("nearest"), "up").treatment, Treatment::PassThrough);
  expect_float(decide(text("linear"), "up"), "it computes new values");
}

TEST(Treatment, MergesChainsOfActivations) {
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,4,1,1] w, float lo, float hi, float[4,4,1,1] v)"
      " => (float[N,4,8,8] y)"
      " { [c1] a = Conv(x, w) [relu] r = Relu(a) [clip] c = Clip(r, lo, hi) [c2] b = Conv(c, v)"
      "   [neg] y = Neg(b) }";
  const ir::Graph graph = graph_of(text);
  const Decisions decisions(graph, find_target("x86"), {});
  EXPECT_EQ(decisions.anchor(*graph.find_value("a")).name(), "c");
  EXPECT_TRUE(decisions.of(*graph.find_node("relu")).merged);
  EXPECT_TRUE(decisions.of(*graph.find_node("clip")).merged);
}

TEST(Treatment, DoesNotMergeWhatIsAGraphOutput) {
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,4,1,1] w) => (float[N,4,8,8] a, float[N,4,8,8] y)"
      " { [c1] a = Conv(x, w) [relu] y = Relu(a) }";
  const ir::Graph graph = graph_of(text);
  const Decisions decisions(graph, find_target("x86"), {});
  EXPECT_EQ(decisions.anchor(*graph.find_value("a")).name(), "a");
  EXPECT_FALSE(decisions.of(*graph.find_node("relu")).merged);
}

TEST(Treatment, NeedsALayerForTheSkipRule) {
  expect_float(decide("g (float[N,4,8,8] x, float[4,4,1,1] w) => (float[N,4,8,8] y)"
                      " { [c1] a = Conv(x, w) [r] r = Relu(a) [add] y = Add(r, r) }",
                      "add", "tensorrt"),
               "no addend is the result of a layer of its own");
}

}  // namespace
}  // namespace espalier::quant
