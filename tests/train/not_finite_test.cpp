#include "espalier/train/not_finite.h"

#include <limits>

#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/zoo/builder.h"
#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::string find(const ir::Graph& graph, const Tensor& input) {
  const exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  return find_not_finite(graph, program, std::span(&input, 1));
}

TEST(NotFinite, NamesTheFirstNode) {
  zoo::Builder builder("m", 1);
  const zoo::Flow flow = builder.image("image", 1, 8, 8).conv({.name = "conv", .channels = 2});
  ir::Node& log = builder.graph().add_node({.op = "Log", .inputs = {&flow.value()}, .name = "log"});
  log.output()->set_type(flow.value().type());
  const zoo::Flow tail = zoo::Flow(builder, *log.output()).conv({.name = "tail", .channels = 2});
  const ir::Graph graph = builder.finish(tail, "y");
  EXPECT_EQ(find(graph, kit::random_tensor({2, 1, 8, 8}, 1)), "node 'log' (Log)");
}

TEST(NotFinite, LooksWithTheStatisticsThatTheProgramUses) {
  ir::Graph graph = synthetic_model(3);
  // Batches are normalized to about 10, by the running mean to far below zero.
  graph.set_constant(*graph.find_value("norm.offset"), at::full({6}, 10.0F));
  graph.set_constant(*graph.find_value("norm.mean"), at::full({6}, 1000.0F));
  ir::Node& norm = *graph.find_node("norm");
  ir::Node& user = *norm.output()->uses().front().node;
  ir::Node& root =
      graph.insert_before(user, {.op = "Sqrt", .inputs = {norm.output()}, .name = "root"});
  root.output()->set_type(norm.output()->type());
  graph.set_input(user, 0, root.output());
  const Tensor images = kit::random_tensor({2, 1, 8, 8}, 1);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  EXPECT_THAT(find_not_finite(graph, program, std::span(&images, 1)),
              testing::StartsWith("the loss, of outputs up to "));
  program.freeze_batch_norm(true);
  EXPECT_EQ(find_not_finite(graph, program, std::span(&images, 1)), "node 'root' (Sqrt)");
}

TEST(NotFinite, NamesParametersBatchesAndTheLoss) {
  ir::Graph graph = synthetic_model(3);
  const Tensor images = kit::random_tensor({2, 1, 8, 8}, 1);
  EXPECT_THAT(find(graph, images),
              testing::AllOf(testing::StartsWith("the loss, of outputs up to "),
                             testing::EndsWith(" of node 'head' (Gemm)")));
  EXPECT_EQ(find(graph, at::full({2, 1, 8, 8}, kNan)), "the batch");
  graph.set_constant(*graph.find_value("head.bias"), at::full({4}, kNan));
  EXPECT_EQ(find(graph, images), "parameter 'head.bias' of node 'head' (Gemm)");
  // In the order of the graph, not of the names.
  graph.set_constant(*graph.find_value("norm.offset"), at::full({6}, kNan));
  EXPECT_EQ(find(graph, images), "parameter 'norm.offset' of node 'norm' (BatchNormalization)");
}

TEST(NotFinite, NamesTheGradientNearestToTheLoss) {
  const ir::Graph graph = synthetic_model(3);
  const exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  const auto spoil = [&](const std::string& name) {
    Tensor parameter = program.parameters().at(name);
    parameter.mutable_grad() = at::full_like(parameter.detach(), kNan);
  };
  EXPECT_EQ(find_bad_gradient(graph, program), "");
  spoil("conv.weight");
  EXPECT_EQ(find_bad_gradient(graph, program),
            "the gradient of 'conv.weight' of node 'conv' (Conv)");
  spoil("norm.scale");
  EXPECT_EQ(find_bad_gradient(graph, program),
            "the gradient of 'norm.scale' of node 'norm' (BatchNormalization)");
}

TEST(NotFinite, NamesParametersAndRunningStatistics) {
  const ir::Graph graph = synthetic_model(3);
  const exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  EXPECT_EQ(find_bad_state(graph, program), "");
  program.buffers().at("norm.variance").fill_(kNan);
  EXPECT_EQ(find_bad_state(graph, program), "'norm.variance' of node 'norm' (BatchNormalization)");
}

}  // namespace
}  // namespace espalier::train
