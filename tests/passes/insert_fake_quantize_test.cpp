#include "espalier/passes/insert_fake_quantize.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/round.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/analysis/model_id.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/small_plan.h"

namespace espalier::passes {
namespace {

using passes_test::apply;
using passes_test::graph_of;
using passes_test::plan_for;

constexpr std::string_view kInsertFakeQuantizeText =
    "g (float[N,3,6,6] x, float[4,3,3,3] w, float[4] b) => (float[N,4,6,6] y)"
    " { [conv] a = Conv<pads=[1,1,1,1]>(x, w, b) [relu] r = Relu(a) [neg] y = Neg(r) }";

TEST(InsertFakeQuantize, BuildsTheSimulatedGraph) {
  ir::Graph graph = graph_of(kInsertFakeQuantizeText);
  const quant::QuantPlan plan = plan_for(graph, {.values = {"x"}, .non_negative = {"r"}});
  EXPECT_EQ(apply(insert_fake_quantize(plan), graph), 3U);
  EXPECT_EQ(kit::to_text(graph),
            "inputs x\n"
            "x_dq = FakeQuantize(x, x_scale, x_zero_point) [x_fake_quantize]\n"
            "w_dq = FakeQuantize(w, w_scale, w_zero_point) [w_fake_quantize]\n"
            "a = Conv(x_dq, w_dq, b) [conv]\n"
            "r = Relu(a) [relu]\n"
            "r_dq = FakeQuantize(r, r_scale, r_zero_point) [r_fake_quantize]\n"
            "y = Neg(r_dq) [neg]\n"
            "outputs y\n");
}

TEST(InsertFakeQuantize, ComputesWhatThePlanSays) {
  ir::Graph graph = graph_of(kInsertFakeQuantizeText);
  const quant::QuantPlan plan = plan_for(graph, {.values = {"x"}, .non_negative = {"r"}});
  ir::Graph expected = graph.clone();
  ir::Value& weight = *expected.find_value("w");
  expected.set_constant(weight,
                        tensor::fake_quantize(weight.constant(), plan.weights.at("w").params));
  const float input_scale = plan.activations.at("x").params.scale[0];
  const Tensor bias_steps = at::tensor(plan.weights.at("w").params.scale) * input_scale;
  ir::Value& bias = *expected.find_value("b");
  expected.set_constant(bias, at::round(bias.constant() / bias_steps) * bias_steps);
  const Tensor input = kit::random_tensor({2, 3, 6, 6}, 3, {.normal = true});
  apply(insert_fake_quantize(plan), graph);
  EXPECT_THAT(graph.find_value("b")->constant(),
              kit::IsCloseTo(bias.constant(), kit::Tolerance{.absolute = 1e-7, .relative = 1e-6}));
  const Tensor quantized = tensor::fake_quantize(input, plan.activations.at("x").params);
  const Tensor convolved = at::conv2d(quantized, weight.constant(), bias.constant(), 1, 1);
  const Tensor activated =
      tensor::fake_quantize(at::relu(convolved), plan.activations.at("r").params);
  const Tensor actual = passes_test::run_on(graph, {input}).at(0);
  const float step = plan.activations.at("r").params.scale[0];
  EXPECT_LE((actual + activated).abs().max().item<float>(), step * 1.001F);
  EXPECT_LE((actual + activated).ne(0).sum().item<std::int64_t>(), 3) << "ties of rounding only";
}

TEST(InsertFakeQuantize, QuantizesAValueOnceAndOnlyItsEdges) {
  ir::Graph graph = graph_of(
      "g (float[4] x) => (float[4] y, float[4] z) { a = Relu(x) [b] b = Neg(a) [c] c = Abs(a)"
      " y = Add(b, c) [z] z = Sigmoid(a) }");
  quant::QuantPlan plan = plan_for(graph, {.values = {"a"}});
  std::erase_if(plan.edges, [](const quant::EdgeKey& edge) { return edge.node == "z"; });
  EXPECT_EQ(apply(insert_fake_quantize(plan), graph), 1U);
  EXPECT_EQ(passes_test::ops_of(graph), "Relu FakeQuantize Neg Abs Add Sigmoid");
  EXPECT_EQ(graph.find_node("z")->input(0)->name(), "a");
  EXPECT_EQ(graph.find_node("b")->input(0), graph.find_node("c")->input(0));
}

TEST(InsertFakeQuantize, QuantizesAGraphOutputUnderItsName) {
  ir::Graph graph = graph_of(kInsertFakeQuantizeText);
  quant::QuantPlan plan = plan_for(graph, {.values = {"x", "y"}});
  plan.edges.push_back({.node = "", .index = 0});
  apply(insert_fake_quantize(plan), graph);
  EXPECT_EQ(graph.outputs().at(0)->name(), "y");
  EXPECT_EQ(graph.outputs().at(0)->producer()->op(), "FakeQuantize");
  EXPECT_EQ(graph.find_node("neg")->output()->name(), "y_float");
}

TEST(InsertFakeQuantize, AddsCorrectionsBeforeRounding) {
  ir::Graph graph = graph_of(kInsertFakeQuantizeText);
  quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
  const Tensor before = graph.find_value("b")->constant();
  plan.bias_corrections["b"] = {1, 2, 3, 4};
  apply(insert_fake_quantize(plan), graph);
  const Tensor corrected = graph.find_value("b")->constant() - before;
  EXPECT_THAT(corrected, kit::IsCloseTo(kit::tensor_of({1, 2, 3, 4}),
                                        kit::Tolerance{.absolute = 1e-3, .relative = 0}));
  EXPECT_NE(
      kit::bit_difference(graph.find_value("b")->constant(), before + kit::tensor_of({1, 2, 3, 4})),
      "")
      << "rounded to the int32 grid";
}

TEST(InsertFakeQuantize, LeavesBiasesForTraining) {
  ir::Graph graph = graph_of(kInsertFakeQuantizeText);
  const Tensor before = graph.find_value("b")->constant();
  const quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
  apply(insert_fake_quantize(plan, {.round_biases = false}), graph);
  EXPECT_THAT(graph.find_value("b")->constant(), kit::HasSameBits(before));
}

TEST(InsertFakeQuantize, TakesTheModelItWasMadeForOnly) {
  ir::Graph graph = graph_of(kInsertFakeQuantizeText);
  quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
  plan.model_id = analysis::model_id(graph);
  ir::Graph other = graph_of(kInsertFakeQuantizeText, /*seed=*/99);
  const std::string text = kit::expect_user_error([&] { apply(insert_fake_quantize(plan), other); },
                                                  "cannot apply the quantization plan");
  EXPECT_THAT(text, testing::HasSubstr("expected model '" + plan.model_id + "'"));
  EXPECT_EQ(apply(insert_fake_quantize(plan), graph), 2U);
}

struct BadPlan {
  std::function<void(quant::QuantPlan&)> spoil;
  std::string message;
};

TEST(InsertFakeQuantize, RefusesPlansThatDoNotFit) {
  const std::vector<BadPlan> rows{
      {[](auto& plan) { plan.activations["nothing"] = plan.activations.at("x"); },
       "got value 'nothing', expected a value of the graph"},
      {[](auto& plan) { plan.edges.push_back({.node = "nobody", .index = 0}); },
       "got node 'nobody', expected a node of the graph"},
      {[](auto& plan) { plan.edges.push_back({.node = "conv", .index = 7}); },
       "node 'conv' (Conv): got input 7, expected 0..2"},
      {[](auto& plan) { plan.edges.push_back({.node = "relu", .index = 0}); },
       "got no parameters for its input 'a'"},
      {[](auto& plan) { plan.edges.push_back({.node = "", .index = 1}); },
       "got graph output 1, expected 0..0"},
      {[](auto& plan) { plan.edges.push_back({.node = "", .index = 0}); },
       "graph output 'y': got no parameters for it"},
      {[](auto& plan) { plan.activations.at("x").params.scale = {0.0F}; },
       "value 'x': got scale 0, expected a positive finite number"},
      {[](auto& plan) { plan.activations.at("x").params.zero_point = {256}; },
       "got zero point 256, expected 0..255"},
      {[](auto& plan) {
         plan.activations.at("x").params.scale = {1.0F, 1.0F};
       },
       "got 2 scales and 1 zero points"},
      {[](auto& plan) { plan.weights.at("w").params.axis = 1; }, "got 4 scales, expected 3"},
      {[](auto& plan) { plan.weights.at("w").params.axis = 4; }, "got axis 4, expected 0..3"},
      {[](auto& plan) { plan.weights.at("w").params.axis = -1; }, "got 4 scales without an axis"},
      {[](auto& plan) { plan.weights["a"] = plan.weights.at("w"); },
       "weight 'a': got a computed value, expected an initializer"},
      {[](auto& plan) { plan.biases["relu"] = "b"; },
       "node 'relu' (Relu): got bias 'b', expected its constant bias"},
      {[](auto& plan) { plan.biases.at("conv") = "w"; }, "got bias 'w'"},
      {[](auto& plan) { plan.edges.clear(); }, "expected quantized input and weight with it"},
      {[](auto& plan) { plan.bias_corrections["b"] = {1}; },
       "bias 'b': got 1 corrections, expected 4"},
      {[](auto& plan) { plan.bias_corrections["y"] = {1}; }, "expected a constant bias"},
  };
  for (const BadPlan& row : rows) {
    ir::Graph graph = graph_of(kInsertFakeQuantizeText);
    quant::QuantPlan plan = plan_for(graph, {.values = {"x"}});
    row.spoil(plan);
    const std::string text =
        kit::expect_user_error([&] { apply(insert_fake_quantize(plan), graph); }, row.message);
    EXPECT_THAT(text, testing::StartsWith("cannot apply the quantization plan"));
  }
}

}  // namespace
}  // namespace espalier::passes
