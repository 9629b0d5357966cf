#include "espalier/deploy/integer_share.h"

#include <gmock/gmock.h>

#include "espalier/onnx/shapes.h"
#include "tests/deploy/small_models.h"
#include "tests/kit/expect_error.h"

namespace espalier::deploy {
namespace {

constexpr std::int64_t kFirstMacs = 16 * 8 * 9 * 64;
constexpr std::int64_t kSecondMacs = 16 * 16 * 9 * 64;
constexpr std::int64_t kLastMacs = 10 * 16;

ir::Graph shaped_net() {
  ir::Graph graph = quantized_net();
  onnx::infer_shapes(graph);
  return graph;
}

TEST(IntegerShareOf, CountsMacsOfIntegerLayers) {
  const std::vector<EngineLayer> layers = {
      {.name = "a", .type = "QLinearConv", .integer = true, .covers = {"conv1", "relu1"}},
      {.name = "b", .type = "FusedConv", .integer = false, .covers = {"conv2", "relu2"}},
      {.name = "c", .type = "QGemm", .integer = true, .covers = {"fc"}}};
  const IntegerShare share = attribute_macs(shaped_net(), layers);
  ASSERT_EQ(share.nodes.size(), 3U);
  EXPECT_EQ(share.nodes[0].macs, kFirstMacs);
  EXPECT_TRUE(share.nodes[0].integer);
  EXPECT_EQ(share.nodes[0].layer, "QLinearConv 'a'");
  EXPECT_EQ(share.nodes[1].macs, kSecondMacs);
  EXPECT_FALSE(share.nodes[1].integer);
  EXPECT_EQ(share.nodes[2].macs, kLastMacs);
  EXPECT_DOUBLE_EQ(share.share, static_cast<double>(kFirstMacs + kLastMacs) /
                                    (kFirstMacs + kSecondMacs + kLastMacs));
}

TEST(IntegerShareOf, AnIntegerConversionDoesNotMakeAFloatConvolutionInteger) {
  const std::vector<EngineLayer> layers = {
      {.name = "a", .type = "DequantizeLinear", .integer = true, .covers = {"conv1"}}};
  const IntegerShare share = attribute_macs(shaped_net(), layers);
  EXPECT_FALSE(share.nodes[0].integer);
  EXPECT_EQ(share.nodes[0].layer, "DequantizeLinear 'a'");
  EXPECT_EQ(share.nodes[1].layer, "");
  EXPECT_EQ(share.share, 0);
}

TEST(IntegerShareOf, ASplitNodeIsIntegerOnlyWhenAllPartsAre) {
  const std::vector<EngineLayer> layers = {
      {.name = "a", .type = "QLinearConv", .integer = true, .covers = {"conv1"}},
      {.name = "b", .type = "Conv", .integer = false, .covers = {"conv1"}}};
  EXPECT_FALSE(attribute_macs(shaped_net(), layers).nodes[0].integer);
}

TEST(IntegerShareOf, NamesANodeWhoseShapeIsUnknown) {
  ir::Graph graph = quantized_net();
  kit::expect_user_error([&] { (void)attribute_macs(graph, {}); },
                         "cannot count multiply-accumulates: node 'conv1' (Conv)");
}

}  // namespace
}  // namespace espalier::deploy
