#include "espalier/analysis/summary.h"

#include <gtest/gtest.h>

#include "tests/analysis/diamond.h"

namespace espalier::analysis {
namespace {

TEST(Summary, TellsWhatAModelHolds) {
  ir::Graph graph = analysis_test::diamond();
  graph.producer = "test";
  ir::Node& extra = graph.insert_after(
      *graph.find_node("left"),
      {.op = "Relu", .inputs = {graph.find_value("left")}, .outputs = {"again"}});
  graph.set_input(*graph.find_node("join"), 0, extra.output());
  const Summary summary = summarize(graph);
  EXPECT_EQ(summary.producer, "test");
  EXPECT_EQ(summary.opsets.at(""), 17);
  ASSERT_EQ(summary.inputs.size(), 1U);
  EXPECT_EQ(summary.inputs[0].name, "x");
  EXPECT_EQ(summary.inputs[0].type, "float32 [N, 2]");
  EXPECT_EQ(summary.outputs.at(0).name, "join");
  EXPECT_EQ(summary.nodes, 5);
  ASSERT_EQ(summary.ops.size(), 4U);
  EXPECT_EQ(summary.ops[0].op, "Relu");
  EXPECT_EQ(summary.ops[0].count, 2);
  EXPECT_EQ(summary.ops[1].op, "Add") << "equal counts by name";
  EXPECT_EQ(summary.ops[2].op, "Gemm");
  EXPECT_EQ(summary.ops[2].macs, 4);
  EXPECT_EQ(summary.ops[2].parameters, 4);
  EXPECT_EQ(summary.macs, 4);
  EXPECT_EQ(summary.parameters, 4);
  EXPECT_TRUE(summary.opaque_nodes.empty());
  EXPECT_GT(summary.memory.peak_bytes, 0);
}

TEST(Summary, NamesWhatEspalierDoesNotKnow) {
  ir::Graph graph = analysis_test::diamond();
  graph.set_op(*graph.find_node("left"), "Thing", "other");
  const Summary summary = summarize(graph);
  EXPECT_EQ(summary.opaque_nodes, (std::vector<std::string>{"node 'left' (Thing)"}));
  EXPECT_EQ(summary.ops.back().op, "other.Thing");
}

TEST(Summary, DescribesTypes) {
  EXPECT_EQ(describe_type({.dtype = tensor::DType::Int8, .shape = tensor::make_shape({2, 3})}),
            "int8 [2, 3]");
  EXPECT_EQ(describe_type({}), "undefined ?");
}

}  // namespace
}  // namespace espalier::analysis
