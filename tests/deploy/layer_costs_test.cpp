#include "espalier/deploy/layer_costs.h"

#include <gmock/gmock.h>

namespace espalier::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::SizeIs;

TEST(LayerCosts, NamesLayersThatLostTimeWorstFirst) {
  const std::vector<EngineLayer> float_layers = {
      {.name = "f1", .type = "Conv", .covers = {"conv1", "relu1"}, .milliseconds = 1.0},
      {.name = "f2", .type = "Conv", .covers = {"conv2"}, .milliseconds = 2.0}};
  const std::vector<EngineLayer> quantized_layers = {
      {.name = "q1", .type = "QLinearConv", .covers = {"conv1"}, .milliseconds = 1.5},
      {.name = "q2", .type = "QLinearConv", .covers = {"conv2"}, .milliseconds = 0.5},
      {.name = "reorder", .type = "Reorder", .milliseconds = 0.75}};
  const auto costs = slower_layers(float_layers, quantized_layers);
  EXPECT_THAT(costs,
              ElementsAre(Field(&LayerCost::name, "reorder"), Field(&LayerCost::name, "conv1")));
  EXPECT_EQ(costs[0].float_ms, std::nullopt) << "nothing in the float file stands for it";
  EXPECT_EQ(costs[1].float_ms, 1.0);
  EXPECT_EQ(costs[1].quantized_ms, 1.5);
}

TEST(LayerCosts, SumsFloatLayersThatOneIntegerLayerReplaces) {
  const std::vector<EngineLayer> float_layers = {
      {.name = "conv", .type = "Conv", .covers = {"conv"}, .milliseconds = 1.0},
      {.name = "add", .type = "Add", .covers = {"add"}, .milliseconds = 0.5}};
  const std::vector<EngineLayer> quantized_layers = {
      {.name = "both", .type = "Convolution", .covers = {"conv", "add"}, .milliseconds = 1.4}};
  EXPECT_THAT(slower_layers(float_layers, quantized_layers), SizeIs(0));
}

TEST(LayerCosts, KeepsTheWorstOnly) {
  std::vector<EngineLayer> layers;
  for (int index = 1; index <= 5; ++index) {
    layers.push_back(
        {.name = std::to_string(index), .type = "Reorder", .milliseconds = 1.0 * index});
  }
  const auto costs = slower_layers({}, layers, 2);
  EXPECT_THAT(costs, ElementsAre(Field(&LayerCost::name, "5"), Field(&LayerCost::name, "4")));
}

}  // namespace
}  // namespace espalier::deploy
