#include "espalier/zoo/table.h"

#include <gtest/gtest.h>

#include "espalier/ir/verifier.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::zoo {
namespace {

TEST(ZooTable, EveryFamilyBuildsASoundGraphWithItsDefaults) {
  for (const Family& family : families()) {
    if (family.name.starts_with("ResNet") && family.image_size == 224) continue;  // resnet_test
    const ir::Graph graph = build(family.name, {.scale = family.scalable ? 0.25 : 1.0});
    EXPECT_TRUE(ir::verify(graph).empty()) << family.name;
    EXPECT_EQ(graph.name, family.name);
    EXPECT_EQ(graph.inputs().at(0)->name(), "image");
    EXPECT_EQ(graph.outputs().at(0)->name(), "logits");
    const tensor::Shape& input = *graph.inputs()[0]->type().shape;
    EXPECT_EQ(input[0].symbol, "batch");
    EXPECT_EQ(input[1].size, family.channels);
    EXPECT_EQ(input[3].size, family.image_size);
    EXPECT_EQ((*graph.outputs()[0]->type().shape)[1].size, family.classes);
    for (const ir::Node* node : graph.nodes()) {
      EXPECT_TRUE(node->output()->type().shape.has_value()) << node->label();
    }
  }
}

TEST(ZooTable, OptionsChangeTheModel) {
  const ir::Graph graph =
      build("ResNet20", {.classes = 7, .image_size = 24, .channels = 1, .seed = 5});
  EXPECT_EQ(tensor::to_string(*graph.inputs().at(0)->type().shape), "[batch, 1, 24, 24]");
  EXPECT_EQ(tensor::to_string(*graph.outputs().at(0)->type().shape), "[batch, 7]");
  const auto weight = [](std::uint64_t seed) {
    return build("ResNet20", {.seed = seed}).find_value("conv1.weight")->constant();
  };
  EXPECT_THAT(weight(5), kit::HasSameBits(weight(5)));
  EXPECT_NE(kit::bit_difference(weight(5), weight(6)), "");
}

TEST(ZooTable, RefusesUnknownNamesAndOptionsOutOfRange) {
  kit::expect_user_error([] { (void)build("MobileNetV4"); }, "did you mean 'MobileNetV");
  kit::expect_user_error([] { (void)build("qqqqqqqqqqqqqqq"); }, "known: FashionCNN, ResNet20");
  kit::expect_user_error([] { (void)build("ResNet20", {.classes = -1}); },
                         "cannot build the model 'ResNet20': classes: got -1, expected 1 to");
  kit::expect_user_error([] { (void)build("ResNet20", {.image_size = 1 << 20}); },
                         "image_size: got 1048576, expected 1 to 16384");
  kit::expect_user_error([] { (void)build("ResNet20", {.channels = -3}); },
                         "channels: got -3, expected 1 to 4096");
  kit::expect_user_error([] { (void)build("ResNet20", {.scale = 0.5}); },
                         "scale: got 0.5, expected 1 (this family has no width multiplier)");
  kit::expect_user_error([] { (void)build("ResNet20", {.stem = Stem::Cifar}); },
                         "stem: got 'cifar', expected none (this family has one form only)");
  kit::expect_user_error([] { (void)build("MobileNetV1", {.scale = -1.0}); },
                         "scale: got -1, expected 0.01 to 16");
}

}  // namespace
}  // namespace espalier::zoo
