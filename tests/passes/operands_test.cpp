#include "espalier/passes/operands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(Operands, ReadsConstants) {
  ir::Graph graph;
  const ir::Value& ints = graph.add_initializer("i", kit::integers_of({3, -1}));
  const ir::Value& number = graph.add_initializer("n", kit::tensor_of({2.5F}));
  const ir::Value& matrix = graph.add_initializer("m", kit::integers_of({1, 2}, {1, 2}));
  EXPECT_THAT(constant_ints(&ints), testing::Optional(testing::ElementsAre(3, -1)));
  EXPECT_EQ(constant_ints(&number), std::nullopt);
  EXPECT_EQ(constant_ints(&matrix), std::nullopt);
  EXPECT_EQ(constant_ints(nullptr), std::nullopt);
  EXPECT_EQ(constant_number(&number), 2.5);
  EXPECT_EQ(constant_number(&ints), std::nullopt);
  EXPECT_EQ(constant_of(nullptr), nullptr);
}

TEST(Operands, FindsTheSoleUser) {
  const ir::Graph graph = passes_test::graph_of(
      "g (float[2] x) => (float[2] y, float[2] b) { a = Relu(x) b = Relu(a) y = Add(b, b) }");
  EXPECT_EQ(sole_user(graph.find_value("a")), graph.nodes()[1]);
  EXPECT_EQ(sole_user(graph.find_value("b")), nullptr);
  EXPECT_EQ(sole_user(graph.find_value("y")), nullptr);
  EXPECT_EQ(sole_user(nullptr), nullptr);
  EXPECT_EQ(opset_of(graph), 17);
  EXPECT_EQ(opset_of(ir::Graph()), 0);
}

TEST(Operands, ReplacesASharedConstantByACopy) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2] x, float[2] w) => (float[2] y) { a = Add(x, w) b = Mul(x, w) y = Add(a, b) }");
  ir::Node& add = *graph.nodes()[0];
  const Tensor old = graph.find_value("w")->constant();
  replace_constant(graph, add, 1, kit::tensor_of({1, 2}));
  EXPECT_EQ(add.input(1)->name(), "w_1");
  EXPECT_THAT(graph.find_value("w")->constant(), kit::HasSameBits(old));
  replace_constant(graph, add, 1, kit::tensor_of({3, 4}));
  EXPECT_EQ(add.input(1)->name(), "w_1");
  EXPECT_THAT(add.input(1)->constant(), kit::HasSameBits(kit::tensor_of({3, 4})));
}

}  // namespace
}  // namespace espalier::passes
