#include "espalier/onnx/schema.h"

#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

TEST(Schema, SinceVersion) {
  EXPECT_EQ(since_version("ReduceMean", 17), 13);
  EXPECT_EQ(since_version("ReduceMean", 18), 18);
  EXPECT_EQ(since_version("Gelu", 19), 0);
  EXPECT_EQ(since_version("Frobnicate", 19), 0);
}

TEST(Schema, ViolationsDependOnTheOpset) {
  const ir::Graph graph = parse(R"(agraph (float[2, 3] x) => (float[A, 3] y) {
    y = ReduceMean <axes = [0]> (x)
  })");
  const ir::Node& node = only(graph, "ReduceMean");
  EXPECT_EQ(schema_violation(node, 17, CheckTypes::Yes), std::nullopt);
  EXPECT_EQ(schema_violation(node, 18, CheckTypes::Yes), "the unknown attribute 'axes'");
}

TEST(Schema, TypesOfInputsAreChecked) {
  const ir::Graph graph = parse("agraph (bfloat16[2] x) => (bfloat16[2] y) { y = Add (x, x) }");
  const ir::Node& node = only(graph, "Add");
  EXPECT_EQ(schema_violation(node, 13, CheckTypes::Yes), std::nullopt);
  EXPECT_EQ(schema_violation(node, 12, CheckTypes::Yes), "input 0 of type bfloat16");
  EXPECT_EQ(schema_violation(node, 12, CheckTypes::No), std::nullopt);
}

TEST(Schema, UnknownOperatorsHaveNoSchemaToBreak) {
  const ir::Graph graph =
      parse("agraph (float[2] x) => (float[2] y) { y = Frobnicate <a = 1> (x) }");
  EXPECT_EQ(schema_violation(only(graph, "Frobnicate"), 17, CheckTypes::Yes), std::nullopt);
}

TEST(Schema, NewDefaultsAreDropped) {
  ir::Graph graph = parse(R"(<ir_version: 10, opset_import: ["" : 19]>
  agraph (float[2] x, int64[1] s) => (float[A] y) {
    [zero] a = Reshape <allowzero = 0> (x, s)
    [one] y = Reshape <allowzero = 1> (a, s)
  })");
  for (ir::Node* node : graph.nodes()) drop_new_defaults(*node, 19, 13);
  EXPECT_FALSE(graph.find_node("zero")->has("allowzero"));
  EXPECT_TRUE(graph.find_node("one")->has("allowzero"));
}

TEST(Schema, UnitDilationsOfPoolsAreADefault) {
  ir::Graph graph = parse(R"(<ir_version: 10, opset_import: ["" : 19]>
  agraph (float[1, 1, 8, 8] x) => (float[A, B, C, D] y) {
    a = AveragePool <kernel_shape = [2, 2], dilations = [1, 1]> (x)
    y = AveragePool <kernel_shape = [2, 2], dilations = [2, 1]> (a)
  })");
  for (ir::Node* node : graph.nodes()) drop_new_defaults(*node, 19, 18);
  EXPECT_FALSE(graph.nodes()[0]->has("dilations"));
  EXPECT_TRUE(graph.nodes()[1]->has("dilations"));
}

}  // namespace
}  // namespace espalier::onnx
