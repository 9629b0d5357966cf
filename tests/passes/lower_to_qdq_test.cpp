#include "espalier/passes/lower_to_qdq.h"

#include <set>

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/passes/insert_fake_quantize.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/small_plan.h"

namespace espalier::passes {
namespace {

using passes_test::apply;
using passes_test::graph_of;
using passes_test::plan_for;

constexpr std::string_view kConv =
    "g (float[N,3,6,6] x, float[4,3,3,3] w, float[4] b) => (float[N,4,6,6] y)"
    " { [conv] a = Conv<pads=[1,1,1,1]>(x, w, b) [relu] r = Relu(a) [neg] y = Neg(r) }";

TEST(LowerToQdq, WritesQuantizeAndDequantize) {
  ir::Graph graph = graph_of(kConv);
  const quant::QuantPlan plan = plan_for(graph, {.values = {"x"}, .non_negative = {"r"}});
  apply(insert_fake_quantize(plan), graph);
  EXPECT_EQ(apply(lower_to_qdq(plan), graph), 3U);
  EXPECT_EQ(kit::to_text(graph),
            "inputs x\n"
            "x_q = QuantizeLinear(x, x_scale, zero_point) [x_q]\n"
            "x_dq = DequantizeLinear(x_q, x_scale, zero_point) [x_dq]\n"
            "w_dq = DequantizeLinear(w_q, w_scale, zero_point_1) [w_dq]\n"
            "b_dq = DequantizeLinear(b_q, b_scale) [b_dq]\n"
            "a = Conv(x_dq, w_dq, b_dq) [conv]\n"
            "r = Relu(a) [relu]\n"
            "r_q = QuantizeLinear(r, r_scale, zero_point_2) [r_q]\n"
            "r_dq = DequantizeLinear(r_q, r_scale, zero_point_2) [r_dq]\n"
            "y = Neg(r_dq) [neg]\n"
            "outputs y\n");
  EXPECT_EQ(graph.find_value("w_q")->type().dtype, tensor::DType::Int8);
  EXPECT_EQ(graph.find_value("zero_point_1")->type().dtype, tensor::DType::Int8);
  EXPECT_EQ(graph.find_value("x_q")->type().dtype, tensor::DType::UInt8);
  EXPECT_EQ(graph.find_value("zero_point")->type().dtype, tensor::DType::UInt8);
  EXPECT_EQ(graph.find_value("b_q")->type().dtype, tensor::DType::Int32);
  EXPECT_EQ(graph.find_node("w_dq")->get_int("axis"), 0);
  EXPECT_EQ(graph.find_node("b_dq")->get_int("axis"), 0);
  EXPECT_FALSE(graph.find_node("x_dq")->has("axis"));
  EXPECT_EQ(graph.find_value("w"), nullptr) << "float weights are gone";
  EXPECT_EQ(graph.find_value("b"), nullptr);
  EXPECT_FALSE(graph.opsets.contains("espalier"));
  const float product =
      plan.activations.at("x").params.scale[0] * plan.weights.at("w").params.scale[2];
  EXPECT_EQ(graph.find_value("b_scale")->constant()[2].item<float>(), product);
}

struct Network {
  std::string name;
  std::string text;
  passes_test::PlanRequest plan;
};

const std::vector<Network>& networks() {
  static const std::vector<Network> kNetworks{
      {"Conv", std::string(kConv), {.values = {"x"}, .non_negative = {"r"}}},
      {"FourBitValues",
       std::string(kConv),
       {.values = {},
        .special =
            {{"x", {.grid = {.bits = 4}, .scale = {0.05F}, .zero_point = {6}}},
             {"r", {.grid = {.bits = 3, .is_signed = true}, .scale = {0.1F}, .zero_point = {0}}}}}},
      {"FloatBias", std::string(kConv), {.values = {"x"}, .biases = false}},
      {"Residual",
       "g (float[N,4,6,6] x, float[4,1,3,3] w, float[4] b) => (float[N,4] y)"
       " { a = Conv<pads=[1,1,1,1], group=4>(x, w, b) s = Add(a, x) r = Relu(s)"
       "   p = GlobalAveragePool(r) y = Flatten(p) }",
       {.values = {"x", "a", "p"}, .non_negative = {"r"}}},
      {"Gemm",
       "g (float[N,5] x, float[5,4] w, float[4] b) => (float[N,4] y) { y = Gemm(x, w, b) }",
       {.values = {"x"}}},
      {"GemmWithRowBias",
       "g (float[N,5] x, float[4,5] w, float[1,4] b) => (float[N,4] y)"
       " { y = Gemm<transB=1>(x, w, b) }",
       {.values = {"x"}}},
      {"MatMul",
       "g (float[N,5] x, float[5,4] w) => (float[N,4] y) { y = MatMul(x, w) }",
       {.values = {"x"}}},
      {"ConvTranspose",
       "g (float[N,4,5,5] x, float[4,3,2,2] w, float[6] b) => (float[N,6,10,10] y)"
       " { y = ConvTranspose<group=2, strides=[2,2]>(x, w, b) }",
       {.values = {"x"}}},
      {"SharedWeightAndBias",
       "g (float[N,4,5,5] x, float[4,4,1,1] w, float[4] b) => (float[N,4,5,5] y)"
       " { a = Conv(x, w, b) r = Relu(a) y = Conv(r, w, b) }",
       {.values = {"x"}, .non_negative = {"r"}}},
      {"Concat",
       "g (float[N,2,5,5] x, float[N,2,5,5] xx, float[3,4,1,1] w) => (float[N,3,5,5] y)"
       " { c = Concat<axis=1>(x, xx) y = Conv(c, w) }",
       {.values = {"x", "xx", "c"}}},
  };
  return kNetworks;
}

class EveryNetwork : public testing::TestWithParam<Network> {};

TEST_P(EveryNetwork, ComputesTheSameBits) {
  ir::Graph graph = graph_of(GetParam().text);
  const quant::QuantPlan plan = plan_for(graph, GetParam().plan);
  apply(insert_fake_quantize(plan), graph);
  const ir::Graph simulated = graph.clone();
  apply(lower_to_qdq(plan), graph);
  const passes_test::RunSettings settings{.unknown_size = 3, .dtype = tensor::DType::Float32};
  const auto expected = passes_test::run_graph(simulated, settings);
  for (const auto& [name, output] : passes_test::run_graph(graph, settings)) {
    EXPECT_THAT(output, kit::HasSameBits(expected.at(name))) << kit::to_text(graph);
  }
  const ir::Graph read = onnx::decode(onnx::encode(graph));
  for (const auto& [name, output] : passes_test::run_graph(read, settings)) {
    EXPECT_THAT(output, kit::HasSameBits(expected.at(name))) << "after writing and reading";
  }
}

INSTANTIATE_TEST_SUITE_P(LowerToQdq, EveryNetwork, testing::ValuesIn(networks()),
                         [](const auto& row) { return row.param.name; });

TEST(LowerToQdq, RoundsBiasesThatTrainingLeftFloat) {
  ir::Graph graph = graph_of(kConv);
  const quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
  ir::Graph rounded = graph.clone();
  apply(insert_fake_quantize(plan, {.round_biases = false}), graph);
  apply(insert_fake_quantize(plan), rounded);
  apply(lower_to_qdq(plan), graph);
  apply(lower_to_qdq(plan), rounded);
  EXPECT_THAT(graph.find_value("b_q")->constant(),
              kit::HasSameBits(rounded.find_value("b_q")->constant()));
}

TEST(LowerToQdq, WritesReducedWeightsAndSignedValues) {
  ir::Graph graph = graph_of(kConv);
  quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
  auto& weight = plan.weights.at("w").params;
  weight.grid.reduced = true;
  for (float& scale : weight.scale) scale *= 127.0F / 63.0F;
  auto& input = plan.activations.at("x").params;
  input.grid = {.bits = 8, .is_signed = true};
  input.zero_point = {0};
  apply(insert_fake_quantize(plan), graph);
  apply(lower_to_qdq(plan), graph);
  const Tensor codes = graph.find_value("w_q")->constant();
  EXPECT_EQ(codes.scalar_type(), at::kChar);
  EXPECT_LE(codes.to(at::kInt).abs().max().item<int>(), 63);
  EXPECT_EQ(graph.find_node("x_q")->input(2)->type().dtype, tensor::DType::Int8);
}

TEST(LowerToQdq, CutsCodesThatDoNotFillTheirType) {
  ir::Graph graph = graph_of(kConv);
  quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
  plan.activations.at("x").params.grid.bits = 4;
  plan.activations.at("x").params.zero_point = {3};
  apply(insert_fake_quantize(plan), graph);
  apply(lower_to_qdq(plan), graph);
  EXPECT_THAT(kit::to_text(graph),
              testing::HasSubstr("x_q = QuantizeLinear(x, x_scale, zero_point) [x_q]\n"
                                 "x_clipped = Clip(x_q, x_lowest, x_highest) [x_clip]\n"
                                 "x_dq = DequantizeLinear(x_clipped, x_scale, zero_point)"));
  EXPECT_EQ(graph.find_value("x_lowest")->constant().item<int>(), 0);
  EXPECT_EQ(graph.find_value("x_highest")->constant().item<int>(), 15);
  EXPECT_EQ(graph.find_value("x_highest")->constant().scalar_type(), at::kByte);
}

TEST(LowerToQdq, GivesTheBiasesOfWeightsOfFewBitsAFineGrid) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,6,6] x, float[4,3,3,3] w, float[4] b) => (float[N,4,6,6] y)"
      " { [conv] a = Conv<pads=[1,1,1,1]>(x, w, b) [relu] y = Relu(a) }");
  quant::QuantPlan plan = passes_test::plan_for(graph, {.values = {"x"}, .non_negative = {"y"}});
  tensor::QuantParams& weights = plan.weights.at("w").params;
  weights.grid.bits = 2;
  for (float& scale : weights.scale) scale = 0.25F;
  const Tensor bias = graph.find_value("b")->constant().clone();
  passes_test::apply(insert_fake_quantize(plan), graph);
  const Tensor x = kit::random_tensor({2, 3, 6, 6}, 4);
  const Tensor expected = passes_test::run_on(graph, {x}).at(0);
  passes_test::apply(lower_to_qdq(plan), graph);
  EXPECT_THAT(passes_test::run_on(graph, {x}).at(0), kit::HasSameBits(expected));
  const Tensor codes = graph.find_value("w_q")->constant().to(at::kInt);
  EXPECT_EQ(codes.abs().max().item<int>() % 32, 0) << "multiples of what the type has room for";
  EXPECT_EQ((codes.remainder(32) != 0).sum().item<int>(), 0);
  const Tensor step = graph.find_value("b_scale")->constant();
  const Tensor rounded = graph.find_value("b_q")->constant() * step;
  EXPECT_LE((rounded - bias).abs().max().item<double>(), 0.5 * step.max().item<double>() + 1e-9);
  EXPECT_LE(step.max().item<double>(), 0.25 * plan.activations.at("x").params.scale[0] / 32 + 1e-9);
}

TEST(LowerToQdq, SharesEqualZeroPoints) {
  ir::Graph graph = graph_of(
      "g (float[N,4,5,5] x, float[4,4,1,1] w, float[4,4,1,1] v) => (float[N,4,5,5] y)"
      " { a = Conv(x, w) y = Conv(a, v) }");
  const quant::QuantPlan plan = plan_for(graph, {.values = {"x", "a"}});
  apply(insert_fake_quantize(plan), graph);
  apply(lower_to_qdq(plan), graph);
  std::set<const ir::Value*> zeros;
  for (const ir::Node* node : graph.nodes()) {
    if (!node->is("Conv")) zeros.insert(node->input(2));
  }
  EXPECT_EQ(zeros.size(), 2U) << "of values and of weights\n" << kit::to_text(graph);
  for (const char* gone : {"x_zero_point", "a_zero_point", "w_zero_point", "v_zero_point"}) {
    EXPECT_EQ(graph.find_value(gone), nullptr) << gone;
  }
}

TEST(LowerToQdq, Needs16BitOpsetFor16BitCodes) {
  ir::Graph graph = graph_of(kConv);
  quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
  plan.activations.at("x").params.grid.bits = 16;
  apply(insert_fake_quantize(plan), graph);
  const std::string text = kit::expect_unsupported([&] { apply(lower_to_qdq(plan), graph); },
                                                   "got operator set 17, expected at least 21");
  EXPECT_THAT(text, testing::HasSubstr("export with a higher opset"));
}

TEST(LowerToQdq, CutsValuesInFrontOf16BitCodesThatDoNotFillTheirType) {
  ir::Graph graph = graph_of(kConv);
  graph.opsets[""] = 21;
  quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
  auto& params = plan.activations.at("x").params;
  params.grid.bits = 12;
  params.zero_point = {100};
  apply(insert_fake_quantize(plan), graph);
  apply(lower_to_qdq(plan), graph);
  EXPECT_THAT(kit::to_text(graph),
              testing::HasSubstr("x_clipped = Clip(x, x_lowest, x_highest) [x_clip]\n"
                                 "x_q = QuantizeLinear(x_clipped, x_scale, "));
  EXPECT_EQ(graph.find_value("x_q")->type().dtype, tensor::DType::UInt16);
  EXPECT_EQ(graph.find_value("x_lowest")->constant().item<float>(), -100 * params.scale[0]);
  EXPECT_FLOAT_EQ(graph.find_value("x_highest")->constant().item<float>(),
                  (4095 - 100) * params.scale[0]);
}

TEST(LowerToQdq, NeedsASimulatedGraph) {
  ir::Graph graph = graph_of(kConv);
  const quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
  kit::expect_user_error([&] { apply(lower_to_qdq(plan), graph); }, "got no FakeQuantize node");
  EXPECT_EQ(apply(lower_to_qdq(quant::QuantPlan{}), graph), 0U) << "an empty plan changes nothing";
}

}  // namespace
}  // namespace espalier::passes
