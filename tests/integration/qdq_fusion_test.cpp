// Which QDQ patterns ONNX Runtime's CPU provider really computes in integers: the optimized graph
// is read back, and its outputs are compared with the simulated graph.
#include <algorithm>
#include <memory>

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/deploy/engine.h"
#include "espalier/deploy/integer_share.h"
#include "espalier/onnx/codec.h"
#include "espalier/passes/drop_clip_bounds.h"
#include "espalier/passes/insert_fake_quantize.h"
#include "espalier/passes/lower_to_qdq.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/small_plan.h"

namespace espalier {
namespace {

using passes_test::PlanRequest;
using Types = std::vector<std::string>;

struct Pattern {
  std::string name;
  std::string text;
  PlanRequest plan;
  Types integer;    ///< operators that the optimized graph must have
  Types forbidden;  ///< and those it must not have
};

/// Per-tensor parameters of 8 bits.
tensor::QuantParams eight_bits(float scale, std::int32_t zero_point, bool is_signed = false) {
  return {.grid = {.bits = 8, .is_signed = is_signed},
          .scale = {scale},
          .zero_point = {zero_point},
          .axis = -1};
}

constexpr const char* kHead =
    "g (float[1,16,8,8] x, float[16,16,3,3] w, float[16,16,3,3] v, float[16] b, float[16,1,3,3] d,"
    " float[16,16,1,1] u, float[16,32,3,3] wide) => (float[1,16,H,W] y) { zero = "
    "Constant<value_float=0.0>()"
    " six = Constant<value_float=6.0>() ";

std::string body(const std::string& nodes) {
  return kHead + nodes + " }";
}

/// A conv behind the pattern's value, quantized too, keeps the graph's end out of the question.
const std::string kTail = " q = Conv<pads=[1,1,1,1]>(t, v) y = Abs(q)";
const std::string kConv = "c = Conv<pads=[1,1,1,1]>(x, w, b) ";
const Types kFloatConvs{"Conv", "FusedConv"};
const Types kFloatConvsAndRelu{"Conv", "FusedConv", "Relu"};

std::vector<Pattern> conv_patterns() {
  return {
      {"ConvRelu",
       body(kConv + "t = Relu(c)" + kTail),
       {.values = {"x"}, .non_negative = {"t"}},
       {"QLinearConv"},
       kFloatConvsAndRelu},
      {"ConvOnly",
       body("t = Conv<pads=[1,1,1,1]>(x, w, b)" + kTail),
       {.values = {"x", "t"}},
       {"QLinearConv"},
       kFloatConvs},
      {"ConvWithoutBias",
       body("t = Conv<pads=[1,1,1,1]>(x, w)" + kTail),
       {.values = {"x", "t"}},
       {"QLinearConv"},
       kFloatConvs},
      {"ConvFloatBias",
       body("t = Conv<pads=[1,1,1,1]>(x, w, b)" + kTail),
       {.values = {"x", "t"}, .biases = false},
       {"QLinearConv"},
       kFloatConvs},
      {"ConvReluZeroPoint",
       body(kConv + "t = Relu(c)" + kTail),
       {.values = {"x"}, .special = {{"t", eight_bits(0.02F, 10)}}},
       {"FusedConv"},
       {}},
      {"ConvReluSigned",
       body(kConv + "t = Relu(c)" + kTail),
       {.values = {},
        .special = {{"x", eight_bits(0.02F, 0, true)}, {"t", eight_bits(0.02F, -128, true)}}},
       {"QLinearConv"},
       kFloatConvsAndRelu},
      {"Depthwise",
       body("c = Conv<pads=[1,1,1,1], group=16>(x, d) t = Relu(c)" + kTail),
       {.values = {"x"}, .non_negative = {"t"}},
       {"QLinearConv"},
       kFloatConvsAndRelu},
      {"ClipInside",
       body(kConv + "t = Clip(c, zero, six)" + kTail),
       {.values = {"x"}, .special = {{"t", eight_bits(6.0F / 255.0F, 0)}}},
       {"QLinearConv"},
       {"Conv", "FusedConv", "Clip"}},
      {"ClipOutside",
       body(kConv + "t = Clip(c, zero, six)" + kTail),
       {.values = {"x"}, .special = {{"t", eight_bits(8.0F / 255.0F, 0)}}},
       {"FusedConv"},
       {}},
      {"ClipInFrontOfFourBits",
       body(kConv + "t = Clip(c, zero, six)" + kTail),
       {.values = {"x"},
        .special = {{"t", {.grid = {.bits = 4}, .scale = {6.0F / 15.0F}, .zero_point = {0}}}}},
       {"QLinearConv", "Clip"},
       kFloatConvsAndRelu},
  };
}

std::vector<Pattern> join_patterns() {
  return {
      {"Residual",
       body(kConv + "s = Add(c, x) t = Relu(s)" + kTail),
       {.values = {"x", "c"}, .non_negative = {"t"}},
       {"QLinearConv", "QLinearAdd"},
       {"Conv", "FusedConv", "Add", "Relu"}},
      {"Silu",
       body(kConv + "g = Sigmoid(c) t = Mul(c, g)" + kTail),
       {.values = {"x", "c", "t"}, .special = {{"g", eight_bits(1.0F / 255.0F, 0)}}},
       {"QLinearConv", "QLinearSigmoid", "QLinearMul"},
       {"Conv", "FusedConv", "Sigmoid", "Mul"}},
      {"SqueezeExcite",
       body(kConv +
            "p = GlobalAveragePool(c) e = Conv(p, u)"
            " g = Sigmoid(e) t = Mul(c, g)" +
            kTail),
       {.values = {"x", "c", "p", "e", "t"}, .special = {{"g", eight_bits(1.0F / 255.0F, 0)}}},
       {"QLinearGlobalAveragePool", "QLinearMul"},
       {"Conv", "Mul", "GlobalAveragePool"}},
      {"Concat",
       body("c = Conv<pads=[1,1,1,1]>(x, w) e = MaxPool<kernel_shape=[1,1]>(x)"
            " f = Relu(c) t = Concat<axis=1>(f, e) q = Conv<pads=[1,1,1,1]>(t, wide) y = Abs(q)"),
       {.values = {"x", "e", "t"}, .non_negative = {"f"}},
       {"QLinearConcat", "QLinearConv"},
       {"Conv", "FusedConv", "Concat"}},
      {"AveragePool",
       body(kConv + "t = AveragePool<kernel_shape=[2,2]>(c)" + kTail),
       {.values = {"x", "c", "t"}},
       {"QLinearAveragePool"},
       {"AveragePool"}},
      {"MaxPool",
       body(kConv + "t = MaxPool<kernel_shape=[2,2]>(c)" + kTail),
       {.values = {"x", "c", "t"}},
       {"QLinearConv", "NhwcMaxPool"},
       {"FusedConv", "Conv"}},
      {"LeakyRelu",
       body(kConv + "t = LeakyRelu(c)" + kTail),
       {.values = {"x", "c", "t"}},
       {"QLinearLeakyRelu"},
       {"LeakyRelu"}},
  };
}

std::vector<Pattern> other_patterns() {
  return {
      {"ResizeNearest",
       body("k = Constant<value_floats=[1.0,1.0,2.0,2.0]>() " + kConv +
            "t = Resize<mode=\"nearest\">(c, , k)" + kTail),
       {.values = {"x", "c", "t"}},
       {"Resize", "QLinearConv"},
       kFloatConvs},
      {"ConvTransposeStaysFloat",
       "g (float[1,16,8,8] x, float[16,16,2,2] w, float[16] b, float[16,16,3,3] v)"
       " => (float[1,16,H,W] y) { t = ConvTranspose<strides=[2,2]>(x, w, b)"
       " q = Conv<pads=[1,1,1,1]>(t, v) y = Abs(q) }",
       {.values = {"x", "t"}},
       {"ConvTranspose"},
       {}},
      {"Gemm",
       "g (float[2,16] x, float[16,16] w, float[16] b, float[16,8] v) => (float[2,8] y)"
       " { t = Gemm(x, w, b) y = Gemm(t, v) }",
       {.values = {"x", "t"}},
       {"QGemm"},
       {"Gemm"}},
      {"GemmTransposed",
       "g (float[2,16] x, float[16,16] w, float[16] b, float[8,16] v) => (float[2,8] y)"
       " { t = Gemm<transB=1>(x, w, b) y = Gemm<transB=1>(t, v) }",
       {.values = {"x", "t"}},
       {"QGemm"},
       {"Gemm"}},
      {"MatMul",
       "g (float[2,16] x, float[16,16] w, float[16,8] v) => (float[2,8] y)"
       " { t = MatMul(x, w) y = MatMul(t, v) }",
       {.values = {"x", "t"}},
       {"QLinearMatMul"},
       {"MatMul"}},
  };
}

std::vector<Pattern> patterns() {
  std::vector<Pattern> all = conv_patterns();
  for (auto list : {join_patterns(), other_patterns()}) {
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

class QdqFusion : public testing::TestWithParam<Pattern> {};

Types types_of(const std::vector<deploy::EngineLayer>& layers) {
  Types types;
  for (const deploy::EngineLayer& layer : layers) types.push_back(layer.type);
  return types;
}

TEST_P(QdqFusion, RunsAsTheTableSays) {
  const Pattern& pattern = GetParam();
  ir::Graph graph = passes_test::graph_of(pattern.text);
  graph.erase_dead();
  PlanRequest request = pattern.plan;
  if (graph.find_value("q") != nullptr) request.values.emplace_back("q");
  const quant::QuantPlan plan = passes_test::plan_for(graph, request);
  passes_test::apply(passes::insert_fake_quantize(plan), graph);
  const ir::Graph simulated = graph.clone();
  passes_test::apply(passes::drop_clip_bounds(), graph);
  passes_test::apply(passes::lower_to_qdq(plan), graph);
  const auto model =
      deploy::open_engine("onnxruntime").load(onnx::encode(graph), {.threads = 1, .inspect = true});
  const Types types = types_of(model->layers());
  for (const std::string& type : pattern.integer) EXPECT_THAT(types, testing::Contains(type));
  for (const std::string& type : pattern.forbidden) {
    EXPECT_THAT(types, testing::Not(testing::Contains(type)));
  }
  kit::Sizes sizes;
  for (const tensor::Dim& dim : *graph.inputs()[0]->type().shape) sizes.push_back(*dim.size);
  const std::vector<Tensor> inputs{kit::random_tensor(sizes, 5, {.low = -2, .high = 2.9})};
  const Tensor expected = passes_test::run_on(simulated, inputs).at(0);
  const Tensor actual = model->run(inputs).at(0);
  const double distance = (actual - expected).norm().item<double>();
  EXPECT_LE(distance, 0.05 * expected.norm().item<double>());
}

TEST(QdqInOpenVino, TransposedConvolutionsWithOneScaleAndTheirNeighboursAreIntegers) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[1,3,16,16] x, float[16,3,3,3] w, float[16] b, float[16,16,2,2] u,"
      " float[16,16,3,3] v, float[16] d) => (float[1,16,32,32] y)"
      " { c = Conv<pads=[1,1,1,1]>(x, w, b) r = Relu(c) t = ConvTranspose<strides=[2,2]>(r, u)"
      "   s = Relu(t) q = Conv<pads=[1,1,1,1]>(s, v, d) y = Relu(q) }");
  quant::QuantPlan plan =
      passes_test::plan_for(graph, {.values = {"x"}, .non_negative = {"r", "s", "y"}});
  tensor::QuantParams& weight = plan.weights.at("u").params;
  weight.scale = {*std::ranges::max_element(weight.scale)};
  weight.zero_point = {0};
  weight.axis = -1;
  passes_test::apply(passes::insert_fake_quantize(plan), graph);
  passes_test::apply(passes::lower_to_qdq(plan), graph);
  const auto model =
      deploy::open_engine("openvino").load(onnx::encode(graph), {.threads = 1, .inspect = true});
  (void)model->run(std::vector<Tensor>{kit::random_tensor({1, 3, 16, 16}, 5)});
  for (const deploy::MacNode& node : deploy::attribute_macs(graph, model->layers()).nodes) {
    EXPECT_TRUE(node.integer) << node.name << ": " << node.layer;
  }
}

/// Share of a sum's elements that OpenVINO gives otherwise than the simulation, where the addend
/// "e", the result of a convolution, is quantized and where it is not.
double other_sums(bool quantized_addend) {
  constexpr double kStep = 5.0 / 255;  // of the plan
  ir::Graph graph = passes_test::graph_of(
      "g (float[1,16,16,16] x, float[16,16,1,1] w, float[16,16,3,3] v, float[16] b,"
      " float[16,16,1,1] u, float[16,16,1,1] t) => (float[1,16,16,16] z)"
      " { a = Conv(x, w) r = Relu(a) e = Conv<pads=[1,1,1,1]>(r, v, b) f = Conv(r, u)"
      "   s = Add(e, f) z = Conv(s, t) }");
  for (const char* weight : {"w", "v", "u"}) {
    ir::Value& value = *graph.find_value(weight);
    graph.set_constant(value, value.constant() / 8);
  }
  // Another step than that of "e": a sum of multiples of one step would hide the rounding.
  const tensor::QuantParams other{.grid = {}, .scale = {0.013F}, .zero_point = {110}, .axis = -1};
  PlanRequest request{.values = {"x", "s"}, .non_negative = {"r"}, .special = {{"f", other}}};
  if (quantized_addend) request.values.emplace_back("e");
  const quant::QuantPlan plan = passes_test::plan_for(graph, request);
  passes_test::apply(passes::insert_fake_quantize(plan), graph);
  const ir::Graph simulated = graph.clone();
  passes_test::apply(passes::lower_to_qdq(plan), graph);
  const std::vector<Tensor> inputs{kit::random_tensor({1, 16, 16, 16}, 5)};
  const Tensor expected = passes_test::run_on(simulated, inputs).at(0);
  const Tensor actual =
      deploy::open_engine("openvino").load(onnx::encode(graph), {.threads = 1})->run(inputs).at(0);
  return ((actual - expected).abs() > kStep / 100).to(at::kDouble).mean().item<double>();
}

TEST(QdqInOpenVino, AddsWhatAConvolutionGivesBeforeItIsQuantized) {
  EXPECT_LE(other_sums(/*quantized_addend=*/false), 0.02);
  EXPECT_GE(other_sums(/*quantized_addend=*/true), 0.5)
      << "OpenVINO follows the file now: its target may quantize both addends";
}

TEST(QdqPrecision, SixteenBitsOfBothFactorsKeepTheirBiases) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[1,16,8,8] x, float[16,16,3,3] w, float[16] b) => (float[1,16,8,8] y)"
      " { c = Conv<pads=[1,1,1,1]>(x, w, b) y = Relu(c) }");
  graph.opsets[""] = 21;
  quant::QuantPlan plan = passes_test::plan_for(graph, {.values = {"x", "y"}, .biases = false});
  for (auto& [name, activation] : plan.activations) {
    activation.params = {.grid = {.bits = 16}, .scale = {6.0F / 65535}, .zero_point = {20000}};
  }
  tensor::QuantParams& weights = plan.weights.at("w").params;
  weights.grid.bits = 16;
  for (float& scale : weights.scale) scale *= 127.0F / 32767;
  graph.set_constant(*graph.find_value("b"), graph.find_value("b")->constant() * 4);
  passes_test::apply(passes::insert_fake_quantize(plan), graph);
  const ir::Graph simulated = graph.clone();
  passes_test::apply(passes::lower_to_qdq(plan), graph);
  const std::vector<Tensor> inputs{kit::random_tensor({1, 16, 8, 8}, 5, {.low = -1, .high = 1})};
  const Tensor expected = passes_test::run_on(simulated, inputs).at(0);
  const auto model =
      deploy::open_engine("onnxruntime").load(onnx::encode(graph, {.opset = 21}), {.threads = 1});
  const Tensor actual = model->run(inputs).at(0);
  EXPECT_LE((actual - expected).abs().max().item<double>(), 2 * 6.0 / 65535) << "two steps";
}

INSTANTIATE_TEST_SUITE_P(OnnxRuntime, QdqFusion, testing::ValuesIn(patterns()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace espalier
