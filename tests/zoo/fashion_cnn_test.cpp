#include <gtest/gtest.h>

#include "espalier/ops/cost.h"
#include "espalier/zoo/table.h"

namespace espalier::zoo {
namespace {

TEST(FashionCnn, HasAboutThreeHundredThousandParameters) {
  const ir::Graph graph = build("FashionCNN");
  EXPECT_GT(ops::parameters(graph), 200'000);
  EXPECT_LT(ops::parameters(graph), 400'000);
  EXPECT_EQ(tensor::to_string(*graph.inputs().at(0)->type().shape), "[batch, 1, 28, 28]");
  EXPECT_EQ(tensor::to_string(*graph.outputs().at(0)->type().shape), "[batch, 10]");
}

TEST(FashionCnn, EveryConvolutionIsFollowedByNormAndRelu) {
  const ir::Graph graph = build("FashionCNN");
  int convolutions = 0;
  for (const ir::Node* node : std::as_const(graph).nodes()) {
    if (!node->is("Conv")) continue;
    ++convolutions;
    const ir::Node& norm = *node->output()->uses().at(0).node;
    ASSERT_TRUE(norm.is("BatchNormalization"));
    EXPECT_TRUE(norm.output()->uses().at(0).node->is("Relu"));
  }
  EXPECT_GE(convolutions, 3);
}

}  // namespace
}  // namespace espalier::zoo
