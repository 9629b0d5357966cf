#include "espalier/onnx/graph_writer.h"

#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "tests/kit/tensors.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

TEST(GraphWriter, IrVersionsFollowTheOpset) {
  EXPECT_EQ(ir_version_of(7), 3);
  EXPECT_EQ(ir_version_of(13), 7);
  EXPECT_EQ(ir_version_of(17), 8);
  EXPECT_EQ(ir_version_of(20), 9);
  EXPECT_EQ(ir_version_of(21), 10);
  EXPECT_EQ(ir_version_of(23), 11);
}

TEST(GraphWriter, OnlyUsedDomainsAreImported) {
  ir::Graph graph = parse("agraph (float[2] x) => (float[2] y) { y = Relu (x) }");
  graph.opsets["unused"] = 3;
  const ::onnx::ModelProto model = write_model(graph, Content::Everything);
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).domain(), "");
}

TEST(GraphWriter, TrailingLeftOutInputsAreNotWritten) {
  const ir::Graph graph = parse(R"(agraph (float[2] x, float low) => (float[2] y) {
    y = Clip (x, low, "")
  })");
  EXPECT_EQ(write_model(graph, Content::Everything).graph().node(0).input_size(), 2);
}

TEST(GraphWriter, TypesOnlyLeavesWeightsOut) {
  ir::Graph graph;
  ir::Value& x = graph.add_input("x", {.dtype = tensor::DType::Float32, .shape = {}});
  ir::Value& weight = graph.add_initializer("w", kit::random_tensor({64, 64}, 1));
  ir::Value& scale = graph.add_initializer("s", kit::tensor_of({1}, {}));
  ir::Node& fake = graph.add_node({.op = "FakeQuantize",
                                   .inputs = {&weight, &scale},
                                   .domain = std::string(ir::kEspalierDomain)});
  graph.add_output(
      *graph.add_node({.op = "MatMul", .inputs = {&x, fake.output()}, .outputs = {"y"}}).output());
  const ::onnx::GraphProto proto = write_model(graph, Content::TypesOnly).graph();
  EXPECT_EQ(proto.input_size(), 2);
  EXPECT_EQ(proto.initializer_size(), 1);
  EXPECT_EQ(proto.node(0).op_type(), "Identity");
  EXPECT_EQ(proto.node(0).input_size(), 1);
}

TEST(GraphWriter, DeclaresTypesThatNobodyCanInfer) {
  ir::Graph graph = parse(R"(agraph (float[2] x) => (float[2] y) <float[2, 7] a> {
    a = Frobnicate (x)
    y = Frobnicate (a)
  })");
  const ::onnx::GraphProto proto = write_model(graph, Content::Everything).graph();
  ASSERT_EQ(proto.value_info_size(), 1);
  EXPECT_EQ(proto.value_info(0).name(), "a");
}

}  // namespace
}  // namespace espalier::onnx
