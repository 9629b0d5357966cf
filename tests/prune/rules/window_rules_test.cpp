#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using prune_test::graph_of;
using prune_test::ties;
using prune_test::vetoes;
using testing::HasSubstr;

TEST(WindowRules, PoolingKeepsChannels) {
  const ir::Graph graph = graph_of(
      "g (float[1,3,4,4] x) => (float[1,3,2,2] y, float[1,3,1,1] z) {"
      " y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) z = GlobalAveragePool(x) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"y", 1}, {"z", 1}}), "0 1 2 | 0 1 2 | 0 1 2");
  EXPECT_THAT(vetoes(graph, "y", 2), HasSubstr("(MaxPool): a window slides over it"));
  EXPECT_THAT(vetoes(graph, "x", 2), HasSubstr("(GlobalAveragePool): its mean counts"));
}

TEST(WindowRules, ReductionsThatCountPositionsFixThem) {
  const ir::Graph graph = graph_of(
      "g (float[1,3,4] x) => (float[1,4] y, float[1,1,4] z, float[1,3,1] w) <int64[1] one = {1}> {"
      " y = ReduceSum<keepdims=0>(x, one) z = ReduceMean<axes=[1]>(x)"
      " w = ReduceMax<axes=[-1]>(x) }");
  EXPECT_EQ(ties(graph, {{"x", 2}, {"y", 1}, {"z", 2}}), "0 1 2 3 | 0 1 2 3 | 0 1 2 3");
  EXPECT_THAT(vetoes(graph, "x", 1), HasSubstr("(ReduceMean): its mean counts all positions"));
  EXPECT_THAT(vetoes(graph, "x", 1), testing::Not(HasSubstr("ReduceSum")));
  EXPECT_THAT(vetoes(graph, "x", 2), HasSubstr("(ReduceMax): its result depends on all"));
}

TEST(WindowRules, PositionsThatAreUsedAsNumbersFixTheirPooling) {
  const ir::Graph graph = graph_of(
      "g (float[N,4,4,4] x, float[3,4,1,1] w) => (float[N,3,2,2] y)"
      " { a = Conv(x, w) b, i = MaxPool<kernel_shape=[2,2], strides=[2,2]>(a)"
      "   f = Cast<to=1>(i) y = Add(b, f) }");
  EXPECT_THAT(vetoes(graph, "a", 1),
              testing::HasSubstr("(MaxPool): its positions are used as numbers"));
}

TEST(WindowRules, AScaleThatLeavesTheSizeStillMixesChannels) {
  const ir::Graph graph = graph_of(
      "g (float[1,2,4,4] x, float[16,2,1,1] w) => (float[1,16,4,4] y)"
      " <float[4] scales = {1.0, 1.03, 1.0, 1.0}>"
      " { a = Conv(x, w) y = Resize<mode=\"linear\">(a, , scales) }");
  EXPECT_THAT(vetoes(graph, "a", 1), testing::HasSubstr("(Resize)"));
}

TEST(WindowRules, ResizeKeepsChannels) {
  const ir::Graph graph = graph_of(
      "g (float[1,3,4,4] x) => (float[1,3,8,8] y) <float[4] scales = {1, 1, 2, 2}>"
      " { y = Resize<mode=\"nearest\">(x, , scales) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"y", 1}}), "0 1 2 | 0 1 2");
  EXPECT_THAT(vetoes(graph, "y", 2), HasSubstr("(Resize): it is resampled"));
}

TEST(WindowRules, GridSampleFixesItsGrid) {
  const ir::Graph graph = graph_of(
      "g (float[1,3,4,4] x1, float[1,5,5,2] x2) => (float[1,3,5,5] y) { y = GridSample(x1, x2) }");
  EXPECT_EQ(ties(graph, {{"x1", 1}, {"y", 1}}), "0 1 2 | 0 1 2");
  EXPECT_THAT(vetoes(graph, "x2", 3), HasSubstr("(GridSample): it is resampled"));
}

}  // namespace
}  // namespace espalier::prune
