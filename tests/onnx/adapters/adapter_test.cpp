#include "espalier/onnx/adapters/adapter.h"

#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

ir::Graph small() {
  return parse(R"(agraph (float16[N, 3] x) => (float16[A, B] y) <int64[1] axes = {1}> {
    [sum] y = ReduceSum (x, axes)
  })");
}

TEST(Adapter, RefusalsNameNodeAndOpset) {
  const ir::Graph graph = small();
  const ir::Node& node = only(graph, "ReduceSum");
  kit::expect_unsupported([&] { refuse_below(node, 18, "a reason"); },
                          "node 'sum' (ReduceSum): got a reason, expected opset 18 or later");
  kit::expect_unsupported([&] { refuse_upgrade(node, "a reason"); },
                          "cannot bring the model to a newer opset: node 'sum' (ReduceSum)");
}

TEST(Adapter, ScalarsTakeTheTypeOfTheirNeighbour) {
  const ir::Graph graph = small();
  EXPECT_EQ(scalar_like(graph.find_value("x"), 2).scalar_type(), at::kHalf);
  EXPECT_EQ(scalar_like(nullptr, 2).scalar_type(), at::kFloat);
  EXPECT_EQ(scalar_like(nullptr, 2).dim(), 0);
}

TEST(Adapter, SizesAndConstants) {
  const ir::Graph graph = small();
  const ir::Value* x = graph.find_value("x");
  EXPECT_EQ(rank_of(x), 2);
  EXPECT_EQ(size_of(x, -1), 3);
  EXPECT_EQ(size_of(x, 0), std::nullopt);
  EXPECT_EQ(size_of(x, 5), std::nullopt);
  EXPECT_EQ(rank_of(nullptr), std::nullopt);
  EXPECT_EQ(constant_ints(graph.find_value("axes")), ir::Ints{1});
  EXPECT_EQ(constant_ints(x), std::nullopt);
}

TEST(Adapter, DroppingAnInputDropsItsConstant) {
  ir::Graph graph = small();
  drop_input(graph, *graph.find_node("sum"), 1);
  EXPECT_EQ(graph.find_node("sum")->inputs().size(), 1U);
  EXPECT_EQ(graph.find_value("axes"), nullptr);
  drop_input(graph, *graph.find_node("sum"), 7);
}

TEST(Adapter, InsertedNodesAreNamedAfterTheirPlace) {
  ir::Graph graph = small();
  ir::Node& node = *graph.find_node("sum");
  const ir::Value& value = insert_op(graph, node, "before", "Relu", {node.input(0)});
  EXPECT_EQ(value.producer()->name(), "sum_before");
  become(graph, node, "Neg", {value.producer()->output()});
  EXPECT_EQ(operators(graph), "Relu Neg");
  EXPECT_EQ(node.name(), "sum");
  EXPECT_EQ(node.output()->name(), "y");
}

}  // namespace
}  // namespace espalier::onnx
