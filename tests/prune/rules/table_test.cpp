#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/prune/rules/rules.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

TEST(RuleTable, NodesWithoutRuleOrShapesAreVetoed) {
  ir::Graph graph;
  ir::Value& x =
      graph.add_input("x", {.dtype = tensor::DType::Float32, .shape = tensor::make_shape({2, 3})});
  const ir::Node& odd =
      graph.add_node({.op = "Odd", .inputs = {&x}, .name = "odd", .domain = "elsewhere"});
  ir::Node& relu = graph.add_node({.op = "Relu", .inputs = {odd.output()}, .name = "relu"});
  graph.add_output(*relu.output());
  Relations relations;
  for (const ir::Node* node : graph.nodes()) relate(*node, relations);
  ASSERT_EQ(relations.vetoes().size(), 1U);
  EXPECT_EQ(relations.vetoes()[0].where, "node 'odd' (Odd)");
  EXPECT_EQ(relations.vetoes()[0].reason, "Espalier does not know this operator");
  relu.output()->set_type({.dtype = tensor::DType::Float32, .shape = tensor::make_shape({2, 3})});
  Relations again;
  relate(relu, again);
  ASSERT_EQ(again.vetoes().size(), 1U);
  EXPECT_EQ(again.vetoes()[0].reason, "the shapes of its inputs and outputs are not known");
}

TEST(RuleTable, EveryRuleHasAFunction) {
  for (const ops::IndexRuleRow& row : ops::index_rules()) {
    // A node without inputs has no known shapes: reaching the veto means that the row was found.
    ir::Graph graph;
    const ir::Node& node =
        graph.add_node({.op = std::string(row.name), .domain = std::string(row.domain)});
    Relations relations;
    EXPECT_NO_THROW(relate(node, relations)) << row.name;
    EXPECT_TRUE(has_function(row.rule)) << row.name;
  }
}

TEST(RuleTable, IntegersAreReadFromVectorsAndScalars) {
  ir::Graph graph;
  const ir::Value& list = graph.add_initializer("list", at::tensor(ir::Ints{4, -1}, at::kLong));
  const ir::Value& real = graph.add_initializer("real", at::zeros({2}));
  EXPECT_EQ(integers_of(&list), (ir::Ints{4, -1}));
  EXPECT_FALSE(integers_of(&real).has_value());
  EXPECT_FALSE(integers_of(nullptr).has_value());
}

TEST(RuleTable, AxesWrap) {
  EXPECT_EQ(RuleCall::wrap(-1, 4), 3U);
  EXPECT_EQ(RuleCall::wrap(2, 4), 2U);
  EXPECT_FALSE(RuleCall::wrap(4, 4).has_value());
  EXPECT_FALSE(RuleCall::wrap(-5, 4).has_value());
}

}  // namespace
}  // namespace espalier::prune
