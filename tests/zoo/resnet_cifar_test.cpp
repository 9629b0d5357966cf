#include <gtest/gtest.h>

#include "espalier/ops/cost.h"
#include "espalier/zoo/table.h"

namespace espalier::zoo {
namespace {

TEST(ResNet20, HasTheKnownCounts) {
  const ir::Graph graph = build("ResNet20");
  // By hand: stem 432, stages 6 * 2304, 4608 + 5 * 9216, 18432 + 5 * 36864, projections 512 + 2048,
  // BatchNorms 2 * (16 * 7 + 32 * 7 + 64 * 7), head 650.
  EXPECT_EQ(ops::parameters(graph), 432 + 6 * 2304 + 4608 + 5 * 9216 + 18432 + 5 * 36864 + 2560 +
                                        2 * 7 * (16 + 32 + 64) + 650);
  std::size_t convolutions = 0;
  for (const ir::Node* node : graph.nodes()) convolutions += node->is("Conv") ? 1 : 0;
  EXPECT_EQ(convolutions, 19U + 2U);
}

TEST(ResNet20, KeepsThePublishedShapes) {
  const ir::Graph graph = build("ResNet20");
  const auto shape = [&](const char* node) {
    return tensor::to_string(*graph.find_node(node)->output()->type().shape);
  };
  EXPECT_EQ(shape("stage1_block3_add"), "[batch, 16, 32, 32]");
  EXPECT_EQ(shape("stage2_block3_add"), "[batch, 32, 16, 16]");
  EXPECT_EQ(shape("stage3_block3_add"), "[batch, 64, 8, 8]");
}

}  // namespace
}  // namespace espalier::zoo
