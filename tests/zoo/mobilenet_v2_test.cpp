#include <gtest/gtest.h>

#include "espalier/ops/cost.h"
#include "espalier/zoo/table.h"

namespace espalier::zoo {
namespace {

const ir::Graph& built_mobilenet_v2() {
  static const ir::Graph graph = build("MobileNetV2");
  return graph;
}

TEST(MobileNetV2, HasTheParametersAndMacsOfPaddle) {
  EXPECT_EQ(ops::parameters(built_mobilenet_v2()), 3'505'960);
  EXPECT_EQ(ops::total_macs(built_mobilenet_v2()).uncounted, 0);
  EXPECT_NEAR(static_cast<double>(ops::total_macs(built_mobilenet_v2()).macs), 0.3136e9, 0.00005e9);
  std::int64_t statistics = 0;
  for (const ir::Value* value : built_mobilenet_v2().initializers()) {
    const std::string& name = value->name();
    if (name.ends_with("_bn_mean") || name.ends_with("_bn_variance")) {
      statistics += value->constant().numel();
    }
  }
  EXPECT_EQ(statistics, 34'176);
}

TEST(MobileNetV2, HasPaddlesNames) {
  for (const char* name :
       {"conv1_1_weights", "conv1_1_bn_scale", "conv2_1_expand_weights", "conv3_1_dwise_weights",
        "conv3_2_linear_bn_mean", "conv5_4_linear_weights", "conv8_1_expand_bn_variance",
        "conv9_weights", "conv9_bn_offset", "fc10_weights", "fc10_offset"}) {
    EXPECT_NE(built_mobilenet_v2().find_value(name), nullptr) << name;
  }
}

TEST(MobileNetV2, ShortcutsAndStridesAreWhereThePaperHasThem) {
  int adds = 0;
  int depthwise = 0;
  for (const ir::Node* node : built_mobilenet_v2().nodes()) {
    adds += node->is("Add") ? 1 : 0;
    depthwise += node->is("Conv") && node->get_int("group") > 1 ? 1 : 0;
    EXPECT_FALSE(node->is("Relu")) << "ReLU6";
  }
  EXPECT_EQ(depthwise, 17);
  EXPECT_EQ(adds, 10);
  EXPECT_EQ(built_mobilenet_v2().find_node("conv3_1_add"), nullptr)
      << "the first of a group has none";
  EXPECT_EQ(built_mobilenet_v2().find_node("conv3_1_dwise")->get_ints("strides", {}),
            (ir::Ints{2, 2}));
  EXPECT_EQ(built_mobilenet_v2().find_node("conv6_1_dwise")->get_ints("strides", {}),
            (ir::Ints{1, 1}));
}

TEST(MobileNetV2, ScaleAndStemChangeTheModel) {
  const ir::Graph half = build("MobileNetV2", {.classes = 10, .scale = 0.5, .image_size = 32});
  EXPECT_EQ(half.find_value("conv1_1_weights")->constant().size(0), 16);
  EXPECT_EQ(half.find_value("conv8_1_linear_weights")->constant().size(0), 160);
  EXPECT_EQ(half.find_value("conv9_weights")->constant().size(0), 1280) << "never narrower";
  const ir::Graph cifar =
      build("MobileNetV2", {.classes = 10, .scale = 0.5, .image_size = 32, .stem = Stem::Cifar});
  EXPECT_EQ(ops::parameters(cifar), ops::parameters(half));
  // 32 / 2 / 2 / 2 in place of 32 / 2 / 2 / 2 / 2 / 2.
  const auto last_size = [](const ir::Graph& graph) {
    return graph.find_node("conv9")->output()->type().shape->at(2).size;
  };
  EXPECT_EQ(last_size(half), 1);
  EXPECT_EQ(last_size(cifar), 4);
}

}  // namespace
}  // namespace espalier::zoo
