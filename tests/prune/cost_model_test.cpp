#include "espalier/prune/cost_model.h"

#include <gtest/gtest.h>

#include "espalier/ops/cost.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using prune_test::named_graph_of;

/// Removes the first `count` channels of the group of this name.
void remove_first(const ChannelMap& map, std::string_view name, std::size_t count,
                  Removal& removal) {
  for (const ChannelGroup& group : map.groups()) {
    if (group.name != name) continue;
    for (std::size_t place = 0; place < count; ++place) removal.remove(group.channels[place]);
  }
}

TEST(CostModel, CountsAChainByHand) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const CostModel model(graph, map);
  Removal removal(map);
  const NetworkCost before = model.cost(removal);
  EXPECT_EQ(before.macs, 8 * 3 * 9 * 64 + 6 * 8 * 64 + 5 * 6);
  EXPECT_EQ(before.macs, ops::total_macs(graph).macs);
  EXPECT_EQ(before.parameters, 8 * 27 + 8 + 6 * 8 + 5 * 6 + 5);
  EXPECT_EQ(before.parameters, ops::parameters(graph));
  EXPECT_EQ(before.bytes, 4 * before.parameters);
  EXPECT_EQ(before.filters, 8 + 6);  // the classifier's five outputs are the caller's

  remove_first(map, "c1", 3, removal);
  remove_first(map, "c2", 2, removal);
  const NetworkCost after = model.cost(removal);
  EXPECT_EQ(after.macs, 5 * 3 * 9 * 64 + 4 * 5 * 64 + 5 * 4);
  EXPECT_EQ(after.parameters, 5 * 27 + 5 + 4 * 5 + 5 * 4 + 5);
  EXPECT_EQ(after.bytes, 4 * after.parameters);
  EXPECT_EQ(after.filters, 5 + 4);
}

TEST(CostModel, AWeightOfSeveralUsesCountsOnce) {
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,8,8] x, float[4,3,1,1] a, float[4,4,1,1] w, float[2,4,1,1] e) =>"
      " (float[1,2,8,8] y) { f = Conv(x, a) g = Conv(f, w) h = Conv(g, w)"
      " y = Conv(h, e) }");
  const ChannelMap map(graph);
  EXPECT_EQ(CostModel(graph, map).cost(Removal(map)).filters, 4 + 4);
}

TEST(CostModel, EinsumShrinksWithEachOfItsLetters) {
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,8,8] x, float[4,3,1,1] a, float[6,4] w, float[2,6,1,1] e) => (float[1,2,8,8] y)"
      " { f = Conv(x, a) g = Einsum<equation=\"nchw,dc->ndhw\">(f, w)"
      " y = Conv(g, e) }");
  const ChannelMap map(graph);
  const CostModel model(graph, map);
  Removal removal(map);
  EXPECT_EQ(model.cost(removal).macs, 64 * (4 * 3 + 6 * 4 + 2 * 6));
  remove_first(map, "f", 1, removal);
  remove_first(map, "g", 4, removal);
  EXPECT_EQ(model.cost(removal).macs, 64 * (3 * 3 + 2 * 3 + 2 * 2));
}

TEST(CostModel, GroupedLayersShrinkOnBothSides) {
  // Two groups of 4 -> 6 channels: every group loses the same places.
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,4,4] x, float[8,3,1,1] wa, float[12,4,1,1] wb, float[2,12,1,1] wc)"
      " => (float[1,2,4,4] y)"
      " { a = Conv(x, wa) b = Conv<group=2>(a, wb) y = Conv(b, wc) }");
  const ChannelMap map(graph);
  const CostModel model(graph, map);
  Removal removal(map);
  EXPECT_EQ(model.cost(removal).macs, 16 * (8 * 3 + 12 * 4 + 2 * 12));
  remove_first(map, "a", 1, removal);
  EXPECT_EQ(model.cost(removal).macs, 16 * (6 * 3 + 12 * 3 + 2 * 12));
  remove_first(map, "b", 2, removal);
  EXPECT_EQ(model.cost(removal).macs, 16 * (6 * 3 + 8 * 3 + 2 * 8));
}

TEST(CostModel, ProductsOfActivationsShrinkWithTheirInnerAxis) {
  // An attention map: [4, c] x [c, 4], and the unknown batch counts as one sample.
  const ir::Graph graph = named_graph_of(
      "g (float[N,4,5] x, float[5,6] q, float[5,6] k) => (float[N,4,4] y)"
      " { a = MatMul(x, q) b = MatMul(x, k) t = Transpose<perm=[0,2,1]>(b) y = MatMul(a, t) }");
  const ChannelMap map(graph);
  const CostModel model(graph, map);
  Removal removal(map);
  EXPECT_EQ(model.cost(removal).macs, 2 * 4 * 5 * 6 + 4 * 4 * 6);
  EXPECT_EQ(model.cost(removal).macs, ops::total_macs(graph).macs);
  remove_first(map, "a", 4, removal);
  EXPECT_EQ(model.cost(removal).macs, 2 * 4 * 5 * 2 + 4 * 4 * 2);
}

TEST(CostModel, SharedWeightsCountOnceAsParametersAndTwiceAsWork) {
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,4,4] x1, float[1,3,4,4] x2, float[4,3,1,1] w, float[2,4,1,1] v)"
      " => (float[1,2,4,4] y) { a = Conv(x1, w) b = Conv(x2, w) s = Add(a, b) y = Conv(s, v) }");
  const ChannelMap map(graph);
  const NetworkCost cost = CostModel(graph, map).cost(Removal(map));
  EXPECT_EQ(cost.macs, 16 * (2 * 12 + 8));
  EXPECT_EQ(cost.parameters, 12 + 8);
}

}  // namespace
}  // namespace espalier::prune
