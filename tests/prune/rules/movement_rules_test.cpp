#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using prune_test::graph_of;
using prune_test::ties;
using prune_test::vetoes;
using testing::HasSubstr;

TEST(MovementRules, ConcatAndSplitShiftPositions) {
  const ir::Graph graph = graph_of(
      "g (float[2,2] x1, float[2,3] x2) => (float[2,4] y, float[2,1] z)"
      " <int64[2] parts = {4, 1}> { c = Concat<axis=1>(x1, x2) y, z = Split<axis=1>(c, parts) }");
  EXPECT_EQ(ties(graph, {{"x1", 1}, {"x2", 1}, {"y", 1}, {"z", 1}}), "0 1 | 2 3 4 | 0 1 2 3 | 4");
}

TEST(MovementRules, SliceFollowsStartsAndSteps) {
  const ir::Graph graph = graph_of(
      "g (float[2,7] x) => (float[2,3] y, float[2,2] z)"
      " <int64[1] a = {1}, int64[1] b = {100}, int64[1] one = {1}, int64[1] two = {2},"
      "  int64[1] last = {-1}, int64[1] three = {3}, int64[1] back = {-2}>"
      " { y = Slice(x, a, b, one, two) z = Slice(x, last, three, one, back) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"y", 1}, {"z", 1}}), "0 1 2 3 4 5 6 | 1 3 5 | 6 4");
}

TEST(MovementRules, PadAddsPositions) {
  const ir::Graph graph = graph_of(
      "g (float[2,2,3] x) => (float[2,5,3] y) <int64[6] pads = {0, 1, 0, 0, 2, 0}>"
      " { y = Pad(x, pads) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"y", 1}}), "0 1 | 2 0 1 3 4");
  const ir::Graph reflected = graph_of(
      "g (float[2,3] x) => (float[2,5] y) <int64[4] pads = {0, 1, 0, 1}>"
      " { y = Pad<mode=\"reflect\">(x, pads) }");
  EXPECT_THAT(vetoes(reflected, "y", 1), HasSubstr("(Pad): its border repeats"));
}

TEST(MovementRules, GatherPicks) {
  const ir::Graph graph = graph_of(
      "g (float[2,4] x) => (float[2,3] y, float[2] z) <int64[3] list = {3, 0, -1}, int64 one = {1}>"
      " { y = Gather<axis=1>(x, list) z = Gather<axis=1>(x, one) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"y", 1}}), "0 1 2 3 | 3 0 3");
  const ir::Graph computed =
      graph_of("g (float[2,4] x1, int64[3] x2) => (float[2,3] y) { y = Gather<axis=1>(x1, x2) }");
  EXPECT_THAT(vetoes(computed, "x1", 1), HasSubstr("(Gather): which positions it picks"));
}

TEST(MovementRules, TransposeExpandTile) {
  const ir::Graph graph = graph_of(
      "g (float[2,3,1] x) => (float[1,3,2] y, float[2,3,4] z, float[2,6,1] w)"
      " <int64[3] shape = {2, 3, 4}, int64[3] copies = {1, 2, 1}>"
      " { y = Transpose<perm=[2,1,0]>(x) z = Expand(x, shape) w = Tile(x, copies) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"y", 1}, {"z", 1}, {"w", 1}}),
            "0 1 2 | 0 1 2 | 0 1 2 | 0 1 2 0 1 2");
  EXPECT_EQ(ties(graph, {{"x", 0}, {"y", 2}, {"z", 2}}), "0 1 | 0 1 | 2 3 4 5");
}

TEST(MovementRules, ExpandToTheShapeOfAValueFollowsIt) {
  const ir::Graph graph = graph_of(
      "g (float[2,1,4] n, float[2,3,4] x) => (float[2,3,4] y)"
      " { shape = Shape(x) e = Expand(n, shape) y = Div(x, e) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"e", 1}, {"y", 1}}), "0 1 2 | 0 1 2 | 0 1 2");
  const ir::Graph part = graph_of(
      "g (float[2,1,4] n, float[1,2,3,4] x) => (float[2,3,4] y)"
      " { shape = Shape<start=1>(x) y = Expand(n, shape) }");
  EXPECT_EQ(vetoes(part, "y", 1), "") << "a size that is known is written down";
  EXPECT_EQ(vetoes(part, "x", 2), "");
}

TEST(MovementRules, BlocksOfChannels) {
  const ir::Graph graph = graph_of(
      "g (float[1,8,2,2] x) => (float[1,2,4,4] y, float[1,2,4,4] z)"
      " { y = DepthToSpace<blocksize=2>(x) z = DepthToSpace<blocksize=2, mode=\"CRD\">(x) }");
  EXPECT_EQ(ties(graph, {{"y", 1}}), "0 0");
  const ir::Graph rows =
      graph_of("g (float[1,8,2,2] x) => (float[1,2,4,4] y) { y = DepthToSpace<blocksize=2>(x) }");
  EXPECT_EQ(ties(rows, {{"x", 1}, {"y", 1}}), "0 1 0 1 0 1 0 1 | 0 1");
  const ir::Graph columns = graph_of(
      "g (float[1,8,2,2] x) => (float[1,2,4,4] y)"
      " { y = DepthToSpace<blocksize=2, mode=\"CRD\">(x) }");
  EXPECT_EQ(ties(columns, {{"x", 1}, {"y", 1}}), "0 0 0 0 1 1 1 1 | 0 1");
  const ir::Graph deep =
      graph_of("g (float[1,2,4,4] x) => (float[1,8,2,2] y) { y = SpaceToDepth<blocksize=2>(x) }");
  EXPECT_EQ(ties(deep, {{"x", 1}, {"y", 1}}), "0 1 | 0 1 0 1 0 1 0 1");
}

}  // namespace
}  // namespace espalier::prune
