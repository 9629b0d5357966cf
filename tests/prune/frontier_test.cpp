#include "espalier/prune/frontier.h"

#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "espalier/onnx/text.h"

namespace espalier::prune {
namespace {

using Names = std::vector<std::string>;

/// A stem, a residual block with an inner layer, and a head; the second output is the stem's.
ir::Graph residual_net() {
  ir::Graph graph = onnx::parse(R"(agraph (float[N, 1, 8, 8] x)
    => (float[N, 2] y, float[N, 2, 8, 8] stem)
    <float[2, 1, 1, 1] w0 = {1, 2}, float[2, 2, 1, 1] w1 = {1, 2, 3, 4},
     float[2, 2, 1, 1] w2 = {1, 2, 3, 4}, float[2, 2] w3 = {1, 2, 3, 4}> {
      stem = Conv (x, w0)
      r0 = Relu (stem)
      a = Conv (r0, w1)
      r1 = Relu (a)
      b = Conv (r1, w2)
      sum = Add (r0, b)
      g = GlobalAveragePool (sum)
      f = Flatten (g)
      y = Gemm <transB = 1> (f, w3)
    })");
  onnx::infer_shapes(graph);
  return graph;
}

/// The frontier of the group of weight `name` when its first channel goes.
std::optional<Names> frontier_of(const ir::Graph& graph, const std::string& weight,
                                 std::size_t output = 0) {
  const ChannelMap map(graph);
  Removal removal(map);
  removal.remove(map.along({.value = graph.find_value(weight), .axis = 0})[0]);
  return find_frontier(graph, removal, *graph.outputs()[output]);
}

TEST(Frontier, StandsBeforeTheFirstLayerThatIsCut) {
  const ir::Graph graph = residual_net();
  EXPECT_EQ(frontier_of(graph, "w0"), Names{"x"});
  EXPECT_EQ(frontier_of(graph, "w1"), Names{"r0"}) << "for the layer and for the addition";
}

TEST(Frontier, IsNothingWhereTheOutputStays) {
  const ir::Graph graph = residual_net();
  EXPECT_EQ(frontier_of(graph, "w1", 1), std::nullopt);
  EXPECT_EQ(frontier_of(graph, "w0", 1), Names{"x"});
}

TEST(Frontier, HoldsEveryBranchThatStays) {
  ir::Graph graph = onnx::parse(R"(agraph (float[N, 1, 8, 8] x) => (float[N, 1, 8, 8] y)
    <float[2, 1, 1, 1] w0 = {1, 2}, float[2, 1, 1, 1] w1 = {3, 4},
     float[1, 4, 1, 1] w2 = {1, 2, 3, 4}> {
      a = Conv (x, w0)
      b = Conv (x, w1)
      c = Concat <axis = 1> (a, b)
      y = Conv (c, w2)
    })");
  onnx::infer_shapes(graph);
  EXPECT_EQ(frontier_of(graph, "w0"), (Names{"x", "b"}));
  EXPECT_EQ(frontier_of(graph, "w1"), (Names{"x", "a"}));
}

TEST(Frontier, LeavesOutWhatNoInputReaches) {
  ir::Graph graph = onnx::parse(R"(agraph (float[N, 1, 8, 8] x) => (float[N, 1, 8, 8] y)
    <float[2, 1, 1, 1] w0 = {1, 2}, float[1, 2, 1, 1] w1 = {1, 2}, float[1] bias = {1},
     float[1] more = {2}> {
      a = Conv (x, w0)
      total = Add (bias, more)
      y = Conv (a, w1, total)
    })");
  onnx::infer_shapes(graph);
  EXPECT_EQ(frontier_of(graph, "w0"), Names{"x"}) << "'total' is computed again, not held";
}

}  // namespace
}  // namespace espalier::prune
