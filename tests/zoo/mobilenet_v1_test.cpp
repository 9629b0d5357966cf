#include <gtest/gtest.h>

#include "espalier/ops/cost.h"
#include "espalier/zoo/table.h"
#include "tests/kit/tensors.h"

namespace espalier::zoo {
namespace {

/// Built once: drawing four million weights takes a while.
const ir::Graph& built() {
  static const ir::Graph graph = build("MobileNetV1");
  return graph;
}

TEST(MobileNetV1, HasTheParametersAndMacsOfPaddle) {
  const ir::Graph& graph = built();
  EXPECT_EQ(ops::parameters(graph), 4'231'976);
  EXPECT_EQ(ops::total_macs(graph).uncounted, 0);
  EXPECT_NEAR(static_cast<double>(ops::total_macs(graph).macs), 0.5687e9, 0.00005e9);
}

TEST(MobileNetV1, HasPaddlesNames) {
  const ir::Graph& graph = built();
  for (const char* name :
       {"conv1_weights", "conv1_bn_scale", "conv1_bn_offset", "conv1_bn_mean", "conv1_bn_variance",
        "conv2_1_dw_weights", "conv2_1_sep_weights", "conv5_6_sep_weights", "conv6_dw_weights",
        "conv6_sep_bn_variance", "fc7_weights", "fc7_offset"}) {
    EXPECT_NE(graph.find_value(name), nullptr) << name;
  }
}

TEST(MobileNetV1, UsesReluAndGroupedDepthwiseLayers) {
  const ir::Graph& graph = built();
  int depthwise = 0;
  for (const ir::Node* node : graph.nodes()) {
    EXPECT_FALSE(node->is("Clip"));
    if (node->is("Conv") && node->get_int("group") > 1) ++depthwise;
  }
  EXPECT_EQ(depthwise, 13);
  EXPECT_EQ(graph.find_node("conv2_1_dw")->get_int("group"), 32);
}

TEST(MobileNetV1, ScaleChangesTheWidth) {
  const ir::Graph graph = build("MobileNetV1", {.scale = 0.5});
  EXPECT_EQ(graph.find_value("conv1_weights")->constant().size(0), 16);
  EXPECT_EQ(graph.find_value("conv6_sep_weights")->constant().size(0), 512);
  EXPECT_EQ(graph.find_value("fc7_weights")->constant().sizes().vec(),
            (std::vector<std::int64_t>{1000, 512}));
}

TEST(MobileNetV1, TheCifarStemKeepsTheSize) {
  const ir::Graph graph =
      build("MobileNetV1", {.classes = 10, .scale = 0.25, .image_size = 32, .stem = Stem::Cifar});
  EXPECT_EQ(graph.find_node("conv1")->output()->type().shape->at(2).size, 32);
  EXPECT_EQ(graph.find_node("conv6_sep")->output()->type().shape->at(2).size, 2);
}

TEST(MobileNetV1, ClassifierIsDrawnWithPaddlesBound) {
  const Tensor weights = built().find_value("fc7_weights")->constant();
  EXPECT_NEAR(weights.abs().max().item<double>(), 1.0 / 32, 1e-4);
}

}  // namespace
}  // namespace espalier::zoo
