#include <gtest/gtest.h>

#include "espalier/ops/cost.h"
#include "espalier/zoo/table.h"

namespace espalier::zoo {
namespace {

TEST(FashionCnn, HasAboutThreeHundredThousandParameters) {
  const ir::Graph graph = build("FashionCNN");
  // Weights, two numbers a channel of BatchNorm, head.
  EXPECT_EQ(ops::parameters(graph), 25 * 32 + 9 * (32 * 64 + 64 * 128 + 128 * 192) +
                                        2 * (32 + 64 + 128 + 192) + 192 * 10 + 10);
  // By the sizes 14, 14, 7 and 3 at which the convolutions run.
  EXPECT_EQ(ops::total_macs(graph).macs,
            25 * 196 * 32 + 9 * (196 * 32 * 64 + 49 * 64 * 128 + 9 * 128 * 192) + 192 * 10);
  EXPECT_EQ(tensor::to_string(*graph.inputs().at(0)->type().shape), "[batch, 1, 28, 28]");
  EXPECT_EQ(tensor::to_string(*graph.outputs().at(0)->type().shape), "[batch, 10]");
}

TEST(FashionCnn, EveryConvolutionIsFollowedByNormAndRelu) {
  const ir::Graph graph = build("FashionCNN");
  int convolutions = 0;
  for (const ir::Node* node : std::as_const(graph).nodes()) {
    if (!node->is("Conv")) continue;
    ++convolutions;
    const ir::Node& norm = *node->output()->uses().front().node;
    ASSERT_TRUE(norm.is("BatchNormalization"));
    EXPECT_TRUE(norm.output()->uses().front().node->is("Relu"));
  }
  EXPECT_GE(convolutions, 3);
}

}  // namespace
}  // namespace espalier::zoo
