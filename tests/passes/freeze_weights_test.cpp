#include "espalier/passes/freeze_weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/round.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/passes/insert_fake_quantize.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/small_plan.h"

namespace espalier::passes {
namespace {

using passes_test::apply;

ir::Graph simulated(std::string_view text) {
  ir::Graph graph = passes_test::graph_of(text);
  apply(insert_fake_quantize(passes_test::plan_for(graph, {.values = {"x"}})), graph);
  return graph;
}

constexpr std::string_view kConvAndRelu =
    "g (float[N,3,6,6] x, float[4,3,3,3] w, float[4] b) => (float[N,4,4,4] y)"
    " { [conv] a = Conv(x, w, b) [relu] y = Relu(a) }";

TEST(FreezeWeights, MovesTheScaleBehindTheLayer) {
  ir::Graph graph = simulated(kConvAndRelu);
  const ir::Graph before = graph.clone();
  EXPECT_EQ(apply(freeze_weights(), graph), 1U);
  EXPECT_EQ(kit::to_text(graph),
            "inputs x\n"
            "x_dq = FakeQuantize(x, x_scale, x_zero_point) [x_fake_quantize]\n"
            "a_integers = Conv(x_dq, w_frozen) [conv]\n"
            "a_Mul = Mul(a_integers, w_dequantize_scale) [conv_Mul]\n"
            "a = Add(a_Mul, w_bias) [conv_Mul_Add]\n"
            "y = Relu(a) [relu]\n"
            "outputs y\n");
  const Tensor& codes = graph.find_value("w_frozen")->constant();
  EXPECT_EQ(codes.scalar_type(), at::kFloat);
  EXPECT_TRUE((at::round(codes) == codes).all().item<bool>());
  EXPECT_EQ(codes.abs().max().item<float>(), 127);
  passes_test::expect_same_outputs(graph, before);
}

TEST(FreezeWeights, KnowsTheOtherLayers) {
  for (const std::string_view text :
       {"g (float[N,3] x, float[3,4] w, float[4] b) => (float[N,4] y) { [gemm] y = Gemm(x, w, b) }",
        "g (float[N,3] x, float[4,3] w, float[4] b) => (float[N,4] y)"
        " { [gemm] y = Gemm<transB=1>(x, w, b) }",
        "g (float[N,3] x, float[3,4] w) => (float[N,4] y) { [mm] y = MatMul(x, w) }",
        "g (float[N,4,5,5] x, float[4,3,2,2] w, float[6] b) => (float[N,6,6,6] y)"
        " { [up] y = ConvTranspose<group=2>(x, w, b) }"}) {
    ir::Graph graph = simulated(text);
    const ir::Graph before = graph.clone();
    EXPECT_EQ(apply(freeze_weights(), graph), 1U) << text;
    EXPECT_EQ(graph.outputs().front()->name(), "y");
    passes_test::expect_same_outputs(graph, before);
  }
}

TEST(FreezeWeights, LeavesFloatLayersAlone) {
  passes_test::expect_unchanged(freeze_weights(), kConvAndRelu);
}

TEST(FreezeWeights, RefusesFormsItDoesNotKnow) {
  ir::Graph graph = simulated(
      "g (float[N,3] x, float[3,4] w, float[4] b) => (float[N,4] y)"
      " { [gemm] y = Gemm<alpha=0.5>(x, w, b) }");
  kit::expect_unsupported([&] { apply(freeze_weights(), graph); },
                          "cannot freeze a quantized weight: node 'gemm' (Gemm): got alpha");
}

}  // namespace
}  // namespace espalier::passes
