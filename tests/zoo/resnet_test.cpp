#include <map>

#include <gtest/gtest.h>

#include "espalier/ops/cost.h"
#include "espalier/zoo/table.h"

namespace espalier::zoo {
namespace {

/// Each depth built once: drawing 25 million weights takes a while.
const ir::Graph& built(const std::string& name) {
  static std::map<std::string, ir::Graph> graphs;
  if (!graphs.contains(name)) graphs.emplace(name, build(name));
  return graphs.at(name);
}

/// Counts at 224 x 224 and 1000 classes. ResNet18's follow from the common 11,689,512 by the 1 x 1
/// projection of stage 1 (64 * 64 weights and 2 * 64 of its BatchNorm).
struct CountCase {
  std::string name;
  std::int64_t parameters;
  double macs;
};

class ResNetCounts : public ::testing::TestWithParam<CountCase> {};

TEST_P(ResNetCounts, EqualPaddles) {
  const ir::Graph& graph = built(GetParam().name);
  EXPECT_EQ(ops::parameters(graph), GetParam().parameters);
  EXPECT_EQ(ops::total_macs(graph).uncounted, 0);
  EXPECT_NEAR(static_cast<double>(ops::total_macs(graph).macs), GetParam().macs, 0.00005e9);
}

INSTANTIATE_TEST_SUITE_P(Depths, ResNetCounts,
                         ::testing::Values(CountCase{"ResNet18", 11'693'736, 1.8269e9},
                                           CountCase{"ResNet34", 21'801'896, 3.6766e9},
                                           CountCase{"ResNet50", 25'557'032, 4.0892e9}),
                         [](const auto& one) { return one.param.name; });

TEST(ResNet, EveryFirstBlockHasAProjection) {
  const ir::Graph& graph = built("ResNet18");
  for (const char* stage : {"res2a", "res3a", "res4a", "res5a"}) {
    EXPECT_NE(graph.find_node(std::string(stage) + "_branch1"), nullptr) << stage;
  }
  EXPECT_EQ(graph.find_node("res2b_branch1"), nullptr);
  EXPECT_EQ(graph.find_node("res2a_branch1")->get_ints("strides", {}), (ir::Ints{1, 1}));
}

TEST(ResNet, TheStrideSitsOnTheMiddleConvolution) {
  const ir::Graph& graph = built("ResNet50");
  EXPECT_EQ(graph.find_node("res3a_branch2a")->get_ints("strides", {}), (ir::Ints{1, 1}));
  EXPECT_EQ(graph.find_node("res3a_branch2b")->get_ints("strides", {}), (ir::Ints{2, 2}));
}

TEST(ResNet, HasPaddlesNames) {
  const ir::Graph& graph = built("ResNet50");
  for (const char* name :
       {"conv1_weights", "bn_conv1_scale", "res2a_branch2a_weights", "bn2a_branch2a_mean",
        "res5c_branch2c_weights", "fc_0.w_0", "fc_0.b_0"}) {
    EXPECT_NE(graph.find_value(name), nullptr) << name;
  }
}

TEST(ResNet, TheCifarStemKeepsTheSize) {
  const ir::Graph graph = build("ResNet18", {.classes = 10, .image_size = 32, .stem = Stem::Cifar});
  EXPECT_EQ(graph.find_value("conv1_weights")->constant().sizes().vec(),
            (std::vector<std::int64_t>{64, 3, 3, 3}));
  EXPECT_EQ(graph.find_node("pool1"), nullptr);
  EXPECT_EQ(graph.find_node("res2b_branch2b")->output()->type().shape->at(2).size, 32);
  EXPECT_EQ(graph.find_node("res5b_branch2b")->output()->type().shape->at(2).size, 4);
}

}  // namespace
}  // namespace espalier::zoo
