#include "espalier/analysis/cost.h"

#include <gtest/gtest.h>

#include "tests/analysis/diamond.h"

namespace espalier::analysis {
namespace {

TEST(Cost, TellsEveryNode) {
  const CostTable table = cost_table(analysis_test::diamond());
  ASSERT_EQ(table.nodes.size(), 4U);
  EXPECT_EQ(table.nodes[0].node, "stem");
  EXPECT_EQ(table.nodes[0].macs, 0);
  const NodeCost& gemm = table.nodes[2];
  EXPECT_EQ(gemm.op, "Gemm");
  EXPECT_EQ(gemm.macs, 4);
  EXPECT_EQ(gemm.parameters, 4);
  EXPECT_EQ(gemm.parameter_bytes, 16);
  EXPECT_EQ(gemm.input_bytes, 8);
  EXPECT_EQ(gemm.output_bytes, 8);
  EXPECT_EQ(table.nodes[3].input_bytes, 16);
  EXPECT_EQ(table.macs, 4);
  EXPECT_EQ(table.parameters, 4);
  EXPECT_EQ(table.initializer_bytes, 20);
  EXPECT_EQ(table.uncounted_nodes, 0);
}

TEST(Cost, CountsASharedWeightOnce) {
  ir::Graph graph = analysis_test::diamond();
  graph.set_op(*graph.find_node("left"), "Gemm");
  graph.set_input(*graph.find_node("left"), 1, graph.find_value("w"));
  const CostTable table = cost_table(graph);
  EXPECT_EQ(table.nodes[1].parameters, 4);
  EXPECT_EQ(table.nodes[2].parameters, 0);
  EXPECT_EQ(table.macs, 8);
}

TEST(Cost, ReportsWhatItCannotCount) {
  ir::Graph graph = analysis_test::diamond();
  graph.find_value("stem")->set_type({});
  graph.find_value("right")->set_type({});
  const CostTable table = cost_table(graph);
  EXPECT_EQ(table.nodes[2].macs, std::nullopt);
  EXPECT_EQ(table.uncounted_nodes, 1);
  EXPECT_EQ(table.macs, 0);
}

}  // namespace
}  // namespace espalier::analysis
