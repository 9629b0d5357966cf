#include "espalier/passes/settle_quantizers.h"

#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
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
  EXPECT_EQ(node.get_string(kTrainedBy, ""), "pact");
  EXPECT_EQ(node.attributes().size(), 3U) << "and the codes";
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

TEST(SettleQuantizers, TheBoundHoldsInTrainingToo) {
  const ir::Graph trained = clipped("lsq", 0.03F, {});
  exec::Program program = exec::Program::compile(trained, {.mode = exec::Mode::Training});
  program.set_training(false);
  ir::Graph settled = trained.clone();
  passes_test::apply(settle_quantizers(), settled);
  const Tensor x = kit::random_tensor({64}, 3).mul(9);
  const Tensor expected = exec::Program::compile(settled, {}).run(std::span(&x, 1)).at(0);
  EXPECT_THAT(program.run(std::span(&x, 1)).at(0).detach(), kit::HasSameBits(expected));
}

/// MatMul with a weight whose abs_max scale is out of date.
ir::Graph stale_weight() {
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
  return graph;
}

TEST(SettleQuantizers, WeightsGetTheScaleOfTheirPresentValues) {
  ir::Graph graph = stale_weight();
  passes_test::apply(settle_quantizers(), graph);
  EXPECT_THAT(graph.find_value("s")->constant(),
              kit::HasSameBits(kit::tensor_of({2.0F / 127.0F, 2})));
}

TEST(SettleQuantizers, ModelsThatAreWrittenBackSayWhatEvaluationComputed) {
  ir::Graph graph = stale_weight();
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  program.load({{"w", kit::tensor_of({4, -2, 0.5F, 127}, {2, 2})}});
  program.write_back(graph);
  const Tensor present = kit::tensor_of({4.0F / 127.0F, 1});
  EXPECT_THAT(graph.find_value("s")->constant(), kit::HasSameBits(present));
  program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  program.freeze_quantizers(true);
  program.load({{"w", kit::tensor_of({9, -2, 0.5F, 127}, {2, 2})}});
  program.write_back(graph);
  const std::vector<Tensor> input{kit::random_tensor({3, 2}, 1)};
  const Tensor evaluated = exec::Program::compile(graph, {}).run(input).at(0);
  passes_test::apply(settle_quantizers(), graph);
  EXPECT_THAT(graph.find_value("s")->constant(), kit::HasSameBits(present)) << "frozen";
  EXPECT_THAT(evaluated, kit::HasSameBits(exec::Program::compile(graph, {}).run(input).at(0)))
      << "a checkpoint is evaluated as its training was";
  EXPECT_FALSE(graph.find_node("fq")->has("frozen"));
}

}  // namespace
}  // namespace espalier::passes
