#include "espalier/passes/mask_channels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

prune::PrunePlan plan_of(const std::vector<std::int64_t>& removed) {
  return {.model_id = {},
          .criterion = {},
          .cuts = {{.group = "first", .initializer = "v", .axis = 0, .removed = removed}}};
}

/// The second layer reads what Sigmoid makes of removed channels: one half unless it is masked.
constexpr std::string_view kTwoLayers =
    "g (float[2,3,4,4] x, float[4,3,1,1] v, float[5,4,1,1] w) => (float[2,5,4,4] y)"
    " { a = Conv(x, v) s = Sigmoid(a) y = Conv(s, w) }";

TEST(MaskChannels, SizesStayAndTheWeightsOfRemovedChannelsDoNotCount) {
  ir::Graph graph = passes_test::graph_of(kTwoLayers);
  ir::Graph zeroed = graph.clone();
  EXPECT_EQ(mask_channels(graph, plan_of({0, 3})), 1U);
  EXPECT_EQ(graph.find_value("v")->constant().size(0), 4);
  // Removed channels read as zero exactly when their column of the second weight is zero.
  Tensor weight = zeroed.find_value("w")->constant().clone();
  weight.select(1, 0).zero_();
  weight.select(1, 3).zero_();
  zeroed.set_constant(*zeroed.find_value("w"), weight);
  passes_test::expect_same_outputs(graph, zeroed);
}

TEST(MaskChannels, MasksAreBooleansThatTrainingLeavesAlone) {
  ir::Graph graph = passes_test::graph_of(kTwoLayers);
  mask_channels(graph, plan_of({2}));
  const ir::Value* mask = graph.find_value("s_kept");
  ASSERT_NE(mask, nullptr);
  EXPECT_TRUE(mask->is_initializer());
  EXPECT_EQ(mask->type().dtype, tensor::DType::Bool);
  EXPECT_THAT(kit::values_of(mask->constant()), testing::ElementsAre(1, 1, 0, 1));
}

TEST(MaskChannels, WithoutRemovalsNothingIsPutIn) {
  ir::Graph graph = passes_test::graph_of(kTwoLayers);
  EXPECT_EQ(mask_channels(graph, prune::PrunePlan{}), 0U);
  EXPECT_EQ(passes_test::ops_of(graph), "Conv Sigmoid Conv");
}

}  // namespace
}  // namespace espalier::passes
