#include "espalier/deploy/modules/onnxruntime_layers.h"

#include <gmock/gmock.h>

#include "espalier/onnx/text.h"
#include "tests/deploy/small_models.h"

namespace espalier::deploy {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

/// Builds optimized graphs by hand, as ONNX Runtime writes them.
struct Optimized {
  ir::Graph graph;
  ir::Value* last;

  Optimized() : last(&graph.add_input("input", {tensor::DType::Float32, std::nullopt})) {}
  void add(const std::string& op, const std::string& name, const std::string& output,
           const std::string& domain = "") {
    last =
        graph
            .add_node(
                {.op = op, .inputs = {last}, .outputs = {output}, .name = name, .domain = domain})
            .output();
  }
};

TEST(OnnxRuntimeLayers, FindsNodesByOutputValue) {
  Optimized optimized;
  optimized.add("QuantizeLinear", "q_input", "input.codes");
  optimized.add("QLinearConv", "conv1", "first.codes");
  const auto layers = onnxruntime_layers(quantized_net(), optimized.graph, "");
  ASSERT_EQ(layers.size(), 2U);
  EXPECT_TRUE(layers[1].integer);
  EXPECT_EQ(layers[1].type, "QLinearConv");
  EXPECT_THAT(layers[1].covers, IsSupersetOf({"conv1", "relu1", "q_first"}));
}

TEST(OnnxRuntimeLayers, FindsNodesByNameAfterLayoutChanges) {
  Optimized optimized;
  optimized.add("QLinearConv", "conv1_token_3", "conv1", "com.microsoft");
  optimized.add("DequantizeLinear", "dq", "floats");
  optimized.add("Conv", "relu2_out_nchwc", "reorder_token_8", "com.microsoft.nchwc");
  ir::Graph exported = float_net();
  exported.rename(*exported.find_node("relu2")->output(), "relu2_out");
  const auto layers = onnxruntime_layers(exported, optimized.graph, "");
  EXPECT_THAT(layers[0].covers, ElementsAre("conv1"));
  EXPECT_THAT(layers[2].covers, IsSupersetOf({"relu2", "conv2"}));
  EXPECT_FALSE(layers[2].integer);
}

TEST(OnnxRuntimeLayers, FollowsCodesThroughOperatorsThatKeepThem) {
  Optimized optimized;
  optimized.add("QuantizeLinear", "q", "a");
  optimized.add("MaxPool", "max", "b");
  optimized.add("DequantizeLinear", "dq", "c");
  optimized.add("MaxPool", "float_max", "d");
  const auto layers = onnxruntime_layers(float_net(), optimized.graph, "");
  EXPECT_TRUE(layers[1].integer);
  EXPECT_FALSE(layers[3].integer);
}

TEST(OnnxRuntimeLayers, AProductWithoutOutputScaleGivesFloats) {
  Optimized optimized;
  optimized.add("QuantizeLinear", "q", "a");
  optimized.add("MatMulIntegerToFloat", "product", "b", "com.microsoft");
  optimized.add("Reshape", "shape", "c");
  const auto layers = onnxruntime_layers(float_net(), optimized.graph, "");
  EXPECT_TRUE(layers[1].integer);
  EXPECT_FALSE(layers[2].integer);
}

TEST(OnnxRuntimeLayers, TakesTheMedianTimeOfTheProfile) {
  Optimized optimized;
  optimized.add("Conv", "conv1", "x");
  const std::string profile = R"([
    {"cat": "Session", "name": "model_run", "dur": 9000},
    {"cat": "Node", "name": "conv1_kernel_time", "dur": 900},
    {"cat": "Node", "name": "conv1_kernel_time", "dur": 100},
    {"cat": "Node", "name": "conv1_kernel_time", "dur": 200},
    {"cat": "Node", "name": "other_fence_before", "dur": 1}])";
  const auto layers = onnxruntime_layers(float_net(), optimized.graph, profile);
  EXPECT_DOUBLE_EQ(layers[0].milliseconds, 0.2);
}

TEST(OnnxRuntimeLayers, ABrokenProfileGivesNoTimes) {
  Optimized optimized;
  optimized.add("Conv", "conv1", "x");
  EXPECT_EQ(onnxruntime_layers(float_net(), optimized.graph, "{oops")[0].milliseconds, 0);
  EXPECT_EQ(onnxruntime_layers(float_net(), optimized.graph, "{}")[0].milliseconds, 0);
}

TEST(OnnxRuntimeLayers, AnUnknownLayerCoversNothing) {
  Optimized optimized;
  optimized.add("Transpose", "Transpose_token_x", "t");
  EXPECT_THAT(onnxruntime_layers(float_net(), optimized.graph, "")[0].covers, IsEmpty());
}

}  // namespace
}  // namespace espalier::deploy
