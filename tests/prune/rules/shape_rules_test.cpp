#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using prune_test::graph_of;
using prune_test::ties;
using prune_test::vetoes;
using testing::HasSubstr;

TEST(ShapeRules, FlattenTiesPixelsToTheirChannel) {
  const ir::Graph graph = graph_of(
      "g (float[N,2,4,4] x, float[3,2,1,1] w, float[5,48] v) => (float[N,5] y)"
      " { a = Conv(x, w) p = GlobalAveragePool(a) b = Flatten(a) y = Gemm<transB=1>(b, v) }");
  const std::string sixteen_each =
      "0 1 2 | 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 "
      "2 2 2 2 2 2 2 2 2 2 2 2 2 2 2 2";
  EXPECT_EQ(ties(graph, {{"a", 1}, {"v", 1}}), sixteen_each);
}

TEST(ShapeRules, ShuffleTiesWhatItInterleaves) {
  const ir::Graph graph = graph_of(
      "g (float[N,2,4,4] x, float[6,2,1,1] w, float[2,6,1,1] v) => (float[N,2,4,4] y)"
      " <int64[5] split = {0, 2, 3, 4, 4}, int64[4] join = {0, 6, 4, 4}>"
      " { a = Conv(x, w) b = Reshape(a, split) c = Transpose<perm=[0,2,1,3,4]>(b)"
      "   d = Reshape(c, join) y = Conv(d, v) }");
  EXPECT_EQ(ties(graph, {{"a", 1}, {"d", 1}}), "0 1 2 0 1 2 | 0 0 1 1 2 2");
}

TEST(ShapeRules, AxesThatDoNotDivideStay) {
  const ir::Graph graph = graph_of(
      "g (float[2,6,4] x) => (float[2,4,6] y) <int64[3] shape = {2, 4, 6}>"
      " { y = Reshape(x, shape) }");
  EXPECT_THAT(vetoes(graph, "x", 1), HasSubstr("(Reshape): it mixes axes that do not divide"));
}

TEST(ShapeRules, SqueezedAxesKeepTheirNeighbours) {
  const ir::Graph graph = graph_of(
      "g (float[N,3,1,1] x) => (float[N,3] y, float[N,1,3,1,1] z) <int64[2] both = {2, 3},"
      " int64[1] one = {1}> { y = Squeeze(x, both) z = Unsqueeze(x, one) }");
  EXPECT_EQ(ties(graph, {{"x", 1}, {"y", 1}, {"z", 2}}), "0 1 2 | 0 1 2 | 0 1 2");
}

TEST(ShapeRules, ShapesUsedAsNumbersFixTheirSource) {
  const ir::Graph graph = graph_of(
      "g (float[N,2,4,4] x, float[3,2,1,1] w) => (float[N,3,4,4] y)"
      " { a = Conv(x, w) s = Shape<start=1, end=2>(a) f = Cast<to=1>(s) y = Div(a, f) }");
  EXPECT_THAT(vetoes(graph, "a", 1), HasSubstr("(Shape): its shape is used in computations"));
  const ir::Graph harmless = graph_of(
      "g (float[N,2,4,4] x, float[3,2,1,1] w) => (float[N,48] y) <int64[1] rest = {-1}>"
      " { a = Conv(x, w) s = Shape<start=0, end=1>(a) t = Concat<axis=0>(s, rest)"
      "   y = Reshape(a, t) }");
  EXPECT_THAT(vetoes(harmless, "a", 1), testing::Not(HasSubstr("(Shape)")));
}

TEST(ShapeRules, TensorsOfTheSizesOfAnotherLoseWhatItLoses) {
  // Zeros like another tensor, as a shortcut that adds channels makes them.
  const ir::Graph graph = graph_of(
      "g (float[N,2,4,4] x, float[3,2,1,1] w) => (float[N,6,4,4] y)"
      " { a = Conv(x, w) s = Shape(a) z = ConstantOfShape(s) y = Concat<axis=1>(a, z) }");
  EXPECT_EQ(ties(graph, {{"a", 1}, {"z", 1}}), "0 1 2 | 0 1 2");
  EXPECT_EQ(vetoes(graph, "a", 1), "");
}

TEST(ShapeRules, SizesThatAreComputedWithFixTheirSource) {
  const ir::Graph graph = graph_of(
      "g (float[N,2,4,4] x, float[4,2,1,1] w) => (float[N,4,4,4] y, float[N,K,4,4] z)"
      " <int64[4] twice = {1, 2, 1, 1}>"
      " { a = Conv(x, w) y = Relu(a) s = Shape(a) t = Mul(s, twice) z = ConstantOfShape(t) }");
  EXPECT_THAT(vetoes(graph, "a", 1),
              HasSubstr("(ConstantOfShape): a size is computed from its size"));
}

TEST(ShapeRules, ReshapesMayLeaveSeveralSizesOpen) {
  const ir::Graph graph = graph_of(
      "g (float[N,2,H,W] x, float[6,2,1,1] w) => (float[N,6,H,W] y)"
      " <int64[1] batch = {0}, int64[2] split = {2, 3}, int64[2] map = {2, 3}>"
      " { a = Conv(x, w) s = Shape(a) n = Gather(s, batch) h = Gather(s, map)"
      "   t = Concat<axis=0>(n, split, h) b = Reshape(a, t)"
      "   c = Transpose<perm=[0,2,1,3,4]>(b) y = Reshape(c, s) }");
  EXPECT_EQ(ties(graph, {{"a", 1}, {"b", 2}}), "0 1 2 0 1 2 | 0 1 2");
}

TEST(ShapeRules, HeadsThatAreMergedWithTheBatchLoseTheSamePositions) {
  const ir::Graph graph = graph_of(
      "g (float[5,N,6] x, float[6,6] w) => (float[5,N,6] y)"
      " <int64[1] tokens = {5}, int64[1] second = {1}, int64[1] heads = {2}, int64[1] size = {3},"
      "  int64[1] all = {6}>"
      " { a = MatMul(x, w) s = Shape(a) n = Gather(s, second) m = Mul(n, heads)"
      "   t = Concat<axis=0>(tokens, m, size) b = Reshape(a, t) r = Relu(b)"
      "   u = Concat<axis=0>(tokens, n, all) y = Reshape(r, u) }");
  EXPECT_EQ(ties(graph, {{"a", 2}, {"b", 2}, {"y", 2}}), "0 1 2 0 1 2 | 0 1 2 | 0 1 2 0 1 2");
}

TEST(ShapeRules, MadeTensorsAndUnknownOperatorsStay) {
  const ir::Graph graph = graph_of(
      "g (float[3,2] x) => (float[3,2] y) <int64[2] shape = {3, 2}>"
      " { a = ConstantOfShape(shape) y = Add(x, a) }");
  EXPECT_THAT(vetoes(graph, "y", 1), HasSubstr("(ConstantOfShape): it is made from a shape"));
  const ir::Graph rolled = graph_of("g (float[3,3] x) => (float[3,3] y) { y = Trilu(x) }");
  EXPECT_THAT(vetoes(rolled, "y", 1), HasSubstr("(Trilu): its diagonal ties two axes"));
}

}  // namespace
}  // namespace espalier::prune
