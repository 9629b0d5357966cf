#include "espalier/ops/cost.h"

#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "tests/kit/tensors.h"
#include "tests/ops/one_node.h"

namespace espalier::ops {
namespace {

using tensor::make_shape;

tensor::Dim known(std::int64_t size) {
  return {.size = size, .symbol = {}};
}

const tensor::Dim kUnknown{};

/// Multiplications of a convolution counted one by one: those whose input place is not padding are
/// counted too, as the formula does.
std::int64_t count_convolution(std::int64_t outputs, std::int64_t channels, std::int64_t taps) {
  std::int64_t count = 0;
  for (std::int64_t output = 0; output < outputs; ++output) {
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      for (std::int64_t tap = 0; tap < taps; ++tap) ++count;
    }
  }
  return count;
}

TEST(Cost, Convolution) {
  OneNode conv("Conv", {std::nullopt, at::ones({6, 2, 3, 3})}, {{"group", std::int64_t{2}}});
  conv.type(0, make_shape({2, 4, 8, 8})).type(std::nullopt, make_shape({2, 6, 8, 8}));
  EXPECT_EQ(macs(conv.node()), count_convolution(2 * 6 * 8 * 8, 2, 9));
}

TEST(Cost, UnknownBatchCountsAsOne) {
  OneNode conv("Conv", {std::nullopt, at::ones({6, 4, 3, 3})});
  conv.type(std::nullopt, {kUnknown, known(6), known(8), known(8)});
  EXPECT_EQ(macs(conv.node()), 6 * 8 * 8 * 4 * 9);
}

TEST(Cost, UnknownHeightHasNoCount) {
  OneNode conv("Conv", {std::nullopt, at::ones({6, 4, 3, 3})});
  conv.type(std::nullopt, {known(1), known(6), kUnknown, known(8)});
  EXPECT_EQ(macs(conv.node()), std::nullopt);
  EXPECT_EQ(total_macs(conv.graph()).uncounted, 1);
  EXPECT_EQ(total_macs(conv.graph()).macs, 0);
}

TEST(Cost, TransposedConvolutionCountsInputs) {
  OneNode conv("ConvTranspose", {std::nullopt, at::ones({4, 3, 2, 2})},
               {{"group", std::int64_t{2}}});
  conv.type(0, make_shape({1, 4, 5, 5})).type(std::nullopt, make_shape({1, 6, 10, 10}));
  EXPECT_EQ(macs(conv.node()), 4 * 5 * 5 * 3 * 4);
}

TEST(Cost, Gemm) {
  OneNode plain("Gemm", {std::nullopt, at::ones({5, 7})});
  plain.type(std::nullopt, {kUnknown, known(7)});
  EXPECT_EQ(macs(plain.node()), 5 * 7);
  OneNode turned("Gemm", {std::nullopt, at::ones({7, 5})}, {{"transB", std::int64_t{1}}});
  turned.type(std::nullopt, make_shape({3, 7}));
  EXPECT_EQ(macs(turned.node()), 3 * 5 * 7);
}

TEST(Cost, MatMulWithWeightAndWithActivations) {
  OneNode layer("MatMul", {std::nullopt, at::ones({5, 7})});
  layer.type(0, {kUnknown, known(4), known(5)});
  layer.type(std::nullopt, {kUnknown, known(4), known(7)});
  EXPECT_EQ(macs(layer.node()), 4 * 5 * 7);
  OneNode product("MatMul", {std::nullopt, std::nullopt});
  product.type(0, {kUnknown, kUnknown}).type(1, {known(9), known(2)});
  product.type(std::nullopt, {kUnknown, known(2)});
  EXPECT_EQ(macs(product.node()), 9 * 2);
}

TEST(Cost, OtherOperatorsAreFree) {
  EXPECT_EQ(macs(OneNode("Relu", {std::nullopt}).node()), 0);
  EXPECT_EQ(macs(OneNode("Frobnicate", {std::nullopt}).node()), 0);
}

TEST(Cost, EinsumMultipliesTheSizesOfItsLetters) {
  const auto einsum = [](const std::string& equation, const std::vector<std::int64_t>& left,
                         const std::vector<std::int64_t>& right) {
    OneNode one("Einsum", {std::nullopt, std::nullopt}, {{"equation", equation}});
    one.type(0, make_shape(left)).type(1, make_shape(right));
    return macs(one.node());
  };
  EXPECT_EQ(einsum("nchw,dc->ndhw", {1, 5, 4, 3}, {7, 5}), 5 * 4 * 3 * 7);
  EXPECT_EQ(einsum("bhid, bhjd -> bhij", {2, 3, 5, 4}, {2, 3, 6, 4}), 2 * 3 * 5 * 4 * 6);
  EXPECT_EQ(einsum("i,j->ij", {5}, {7}), 35);
  EXPECT_EQ(einsum("...c,dc->...d", {2, 5}, {7, 5}), 2 * 5 * 7);
  EXPECT_EQ(einsum("cc,dc->cd", {5, 5}, {7, 5}), std::nullopt) << "a diagonal";
  OneNode open("Einsum", {std::nullopt, at::ones({7, 5})},
               {{"equation", std::string("nc,dc->nd")}});
  open.type(0, {kUnknown, known(5)});
  EXPECT_EQ(macs(open.node()), 35) << "for one sample";
  OneNode sum("Einsum", {std::nullopt}, {{"equation", std::string("nc->n")}});
  EXPECT_EQ(macs(sum.type(0, make_shape({2, 5})).node()), 0);
}

TEST(Cost, HugeSizesDoNotOverflow) {
  OneNode conv("Conv", {std::nullopt, at::ones({4, 4, 1, 1})});
  conv.type(std::nullopt, make_shape({1, 4, std::int64_t{1} << 40, std::int64_t{1} << 40}));
  EXPECT_EQ(macs(conv.node()), std::nullopt);
}

TEST(Cost, ParametersCountEachInitializerOnce) {
  ir::Graph graph;
  ir::Value& x = graph.add_input("x", {});
  ir::Value& weight = graph.add_initializer("w", at::ones({4, 4, 1, 1}));
  ir::Value& bias = graph.add_initializer("b", at::ones({4}));
  ir::Node& first = graph.add_node({.op = "Conv", .inputs = {&x, &weight, &bias}});
  ir::Node& second = graph.add_node({.op = "Conv", .inputs = {first.output(), &weight}});
  std::vector<ir::Value*> inputs{second.output()};
  for (const char* name : {"scale", "shift", "mean", "variance"}) {
    inputs.push_back(&graph.add_initializer(name, at::ones({4})));
  }
  ir::Node& normal = graph.add_node({.op = "BatchNormalization", .inputs = inputs});
  ir::Value& six = graph.add_initializer("six", at::ones({}));
  graph.add_output(*graph.add_node({.op = "Mul", .inputs = {normal.output(), &six}}).output());
  EXPECT_EQ(parameters(graph), 16 + 4 + 4 + 4);
}

}  // namespace
}  // namespace espalier::ops
