#include "espalier/passes/settle_quantizers.h"

#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/ops/estimator.h"
#include "espalier/passes/fake_quantize_node.h"
#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

/// y = Clip(x, 0, 6); FakeQuantize(y) with this estimator over the codes 0..255.
ir::Graph clipped(const std::string& estimator, float scale, const Tensor& state) {
  ir::Graph graph;
  ir::Value& x = graph.add_input("x", {tensor::DType::Float32, std::nullopt});
  ir::Node& clip = graph.add_node({.op = "Clip",
                                   .inputs = {&x, &graph.add_initializer("low", at::full({}, 0.0F)),
                                              &graph.add_initializer("high", at::full({}, 6.0F))},
                                   .outputs = {"y"}});
  std::vector<ir::Value*> inputs{clip.output(), &graph.add_initializer("s", at::full({}, scale)),
                                 &graph.add_initializer("z", at::full({}, 0.0F))};
  if (state.defined()) inputs.push_back(&graph.add_initializer("state", state));
  ir::Node& node = graph.add_node({.op = "FakeQuantize",
                                   .inputs = inputs,
                                   .outputs = {"q"},
                                   .attributes = {{"qmin", std::int64_t{0}},
                                                  {"qmax", std::int64_t{255}},
                                                  {"estimator", estimator}},
                                   .name = "fq",
                                   .domain = std::string(ir::kEspalierDomain)});
  graph.add_output(*node.output());
  return graph;
}

TEST(SettleQuantizers, TakesTheLearnedParametersAndForgetsHow) {
  ir::Graph graph = clipped("pact", 0.5F, kit::tensor_of({5.1F}));
  EXPECT_EQ(passes_test::apply(settle_quantizers(), graph), 1U);
  const ir::Node& node = *graph.find_node("fq");
  EXPECT_EQ(node.inputs().size(), 3U);
  EXPECT_EQ(graph.find_value("state"), nullptr);
  EXPECT_EQ(ops::estimator_of(node), nullptr);
  EXPECT_EQ(node.attributes().size(), 2U);
  const FakeQuantizeParams params = fake_quantize_params(node);
  EXPECT_NEAR(params.scale.item<double>(), 5.1 / 255, 1e-8);
  EXPECT_EQ(node.input(2)->constant().scalar_type(), at::kInt);
  EXPECT_EQ(passes_test::apply(settle_quantizers(), graph), 0U);
}

TEST(SettleQuantizers, DrawsScalesBackIntoTheActivationsBounds) {
  ir::Graph graph = clipped("lsq", 0.03F, {});  // 0.03 * 255 = 7.65
  passes_test::apply(settle_quantizers(), graph);
  const float scale = graph.find_value("s")->constant().item<float>();
  EXPECT_LE(scale * 255.0F, 6.0F);
  EXPECT_NEAR(scale * 255.0F, 6.0F, 1e-5F);
  ir::Graph inside = clipped("lsq", 0.02F, {});
  passes_test::apply(settle_quantizers(), inside);
  EXPECT_EQ(inside.find_value("s")->constant().item<float>(), 0.02F);
}

TEST(SettleQuantizers, WeightsGetTheScaleOfTheirPresentValues) {
  ir::Graph graph;
  ir::Value& x = graph.add_input("x", {tensor::DType::Float32, std::nullopt});
  ir::Value& weight = graph.add_initializer("w", kit::tensor_of({1, -2, 0.5F, 254}, {2, 2}));
  ir::Node& node = graph.add_node(
      {.op = "FakeQuantize",
       .inputs = {&weight, &graph.add_initializer("s", kit::tensor_of({9, 9})),
                  &graph.add_initializer("z", kit::integers_of({0, 0}).to(at::kInt))},
       .attributes = {{"qmin", std::int64_t{-127}},
                      {"qmax", std::int64_t{127}},
                      {"axis", std::int64_t{0}},
                      {"estimator", std::string("abs_max")},
                      {"role", std::string("weight")}},
       .name = "fq",
       .domain = std::string(ir::kEspalierDomain)});
  ir::Node& product = graph.add_node({.op = "MatMul", .inputs = {&x, node.output()}});
  graph.add_output(*product.output());
  passes_test::apply(settle_quantizers(), graph);
  EXPECT_THAT(graph.find_value("s")->constant(),
              kit::HasSameBits(kit::tensor_of({2.0F / 127.0F, 2})));
}

}  // namespace
}  // namespace espalier::passes
