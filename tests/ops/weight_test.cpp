#include "espalier/ops/weight.h"

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include "tests/kit/tensors.h"
#include "tests/ops/one_node.h"

namespace espalier::ops {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Weight, ConvolutionHasItsChannelsFirst) {
  const OneNode conv("Conv", {std::nullopt, at::ones({6, 2, 3, 3}), at::ones({6})},
                     {{"group", std::int64_t{2}}});
  EXPECT_EQ(weight_initializer(conv.node())->name(), "x1");
  EXPECT_EQ(bias_initializer(conv.node())->name(), "x2");
  EXPECT_EQ(weight_axis(conv.node()), 0);
  EXPECT_EQ(output_channels(conv.node()), 6);
  EXPECT_THAT(trainable_inputs(conv.node()), ElementsAre(1, 2));
}

TEST(Weight, TransposedConvolutionHasTheChannelsOfAGroup) {
  const OneNode conv("ConvTranspose", {std::nullopt, at::ones({4, 3, 2, 2})},
                     {{"group", std::int64_t{2}}});
  EXPECT_EQ(weight_axis(conv.node()), 1);
  EXPECT_EQ(output_channels(conv.node()), 6);
  EXPECT_EQ(bias_initializer(conv.node()), nullptr);
}

TEST(Weight, GemmFollowsTransB) {
  EXPECT_EQ(weight_axis(OneNode("Gemm", {std::nullopt, at::ones({5, 7})}).node()), 1);
  const OneNode turned("Gemm", {std::nullopt, at::ones({7, 5})}, {{"transB", std::int64_t{1}}});
  EXPECT_EQ(weight_axis(turned.node()), 0);
  EXPECT_EQ(output_channels(turned.node()), 7);
}

TEST(Weight, MatMulTakesTheConstantSide) {
  const OneNode right("MatMul", {std::nullopt, at::ones({2, 5, 7})});
  EXPECT_EQ(weight_port(right.node()), 1U);
  EXPECT_EQ(weight_axis(right.node()), 2);
  const OneNode left("MatMul", {at::ones({5, 7}), std::nullopt});
  EXPECT_EQ(weight_port(left.node()), 0U);
  EXPECT_EQ(weight_axis(left.node()), 0);
  EXPECT_THAT(trainable_inputs(left.node()), ElementsAre(0));
  const OneNode none("MatMul", {std::nullopt, std::nullopt});
  EXPECT_EQ(weight_port(none.node()), std::nullopt);
  EXPECT_EQ(weight_initializer(none.node()), nullptr);
  EXPECT_EQ(weight_axis(none.node()), std::nullopt);
  EXPECT_EQ(output_channels(none.node()), std::nullopt);
}

TEST(Weight, VectorsHaveNoAxis) {
  EXPECT_EQ(weight_axis(OneNode("MatMul", {std::nullopt, at::ones({5})}).node()), std::nullopt);
}

TEST(Weight, IsSeenThroughFakeQuantizeAndQdq) {
  ir::Graph graph;
  ir::Value& x = graph.add_input("x", {});
  ir::Value& weight = graph.add_initializer("w", at::ones({4, 4, 1, 1}));
  ir::Value& scale = graph.add_initializer("s", at::ones({}));
  ir::Node& fake = graph.add_node({.op = "FakeQuantize",
                                   .inputs = {&weight, &scale},
                                   .domain = std::string(ir::kEspalierDomain)});
  ir::Node& quantize = graph.add_node({.op = "QuantizeLinear", .inputs = {fake.output(), &scale}});
  ir::Node& back =
      graph.add_node({.op = "DequantizeLinear", .inputs = {quantize.output(), &scale}});
  const ir::Node& conv = graph.add_node({.op = "Conv", .inputs = {&x, back.output()}});
  EXPECT_EQ(weight_initializer(conv), &weight);
  EXPECT_EQ(initializer_behind(&x), nullptr);
  EXPECT_EQ(initializer_behind(nullptr), nullptr);
}

TEST(Weight, IsSeenThroughAFewNodesOnly) {
  ir::Graph graph;
  ir::Value* value = &graph.add_initializer("w", at::ones({4, 4, 1, 1}));
  for (int node = 0; node < 64; ++node) {
    value = graph.add_node({.op = "Identity", .inputs = {value}}).output();
  }
  EXPECT_NE(initializer_behind(value), nullptr);
  value = graph.add_node({.op = "Identity", .inputs = {value}}).output();
  EXPECT_EQ(initializer_behind(value), nullptr);
}

TEST(Weight, ScalarsOfElementwiseOperatorsAreNotTrained) {
  EXPECT_THAT(trainable_inputs(OneNode("Add", {std::nullopt, at::ones({1})}).node()), IsEmpty());
  EXPECT_THAT(trainable_inputs(OneNode("Add", {std::nullopt, at::ones({8})}).node()),
              ElementsAre(1));
  EXPECT_THAT(trainable_inputs(OneNode("Div", {std::nullopt, at::ones({8})}).node()), IsEmpty());
}

TEST(Weight, IntegersAreNotTrained) {
  EXPECT_THAT(trainable_inputs(OneNode("Add", {std::nullopt, kit::integers_of({1, 2})}).node()),
              IsEmpty());
}

TEST(Weight, BatchNormalizationSeparatesStatistics) {
  const Tensor four = at::ones({4});
  const OneNode normal("BatchNormalization", {std::nullopt, four, four, four, four});
  EXPECT_THAT(trainable_inputs(normal.node()), ElementsAre(1, 2));
  EXPECT_THAT(running_statistics_inputs(normal.node()), ElementsAre(3, 4));
  EXPECT_THAT(running_statistics_inputs(OneNode("Frobnicate", {std::nullopt}).node()), IsEmpty());
  EXPECT_THAT(trainable_inputs(OneNode("Frobnicate", {four}).node()), IsEmpty());
}

}  // namespace
}  // namespace espalier::ops
