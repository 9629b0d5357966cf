#include "espalier/prune/cut_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

/// Channels 1 and 4 of the chain's first layer and 0 of its second.
CutMap cut_of(const ir::Graph& graph) {
  const ChannelMap map(graph);
  Removal removal(map);
  removal.remove(map.groups()[0].channels[1]);
  removal.remove(map.groups()[0].channels[4]);
  removal.remove(map.groups()[1].channels[0]);
  return cut_map_of(removal, graph);
}

TEST(CutMap, ListsWhatStaysOfEveryInitializer) {
  const CutMap cuts = cut_of(prune_test::chain());
  const std::vector<std::int64_t> first{0, 2, 3, 5, 6, 7};
  const std::vector<std::int64_t> second{1, 2, 3, 4, 5};
  EXPECT_EQ(cuts.size(), 4U);
  EXPECT_THAT(cuts.at("w1"), ElementsAre(AxisCut{.axis = 0, .size = 8, .kept = first}));
  EXPECT_THAT(cuts.at("b1"), ElementsAre(AxisCut{.axis = 0, .size = 8, .kept = first}));
  EXPECT_THAT(cuts.at("w2"), ElementsAre(AxisCut{.axis = 0, .size = 6, .kept = second},
                                         AxisCut{.axis = 1, .size = 8, .kept = first}));
  EXPECT_THAT(cuts.at("w3"), ElementsAre(AxisCut{.axis = 1, .size = 6, .kept = second}));
}

TEST(CutMap, NothingRemovedCutsNothing) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  EXPECT_THAT(cut_map_of(Removal(map), graph), IsEmpty());
}

TEST(CutMap, TensorsKeepTheListedPositions) {
  const Tensor whole = kit::tensor_of({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {3, 4});
  const Tensor rest = cut_tensor(
      whole, {{.axis = 0, .size = 3, .kept = {0, 2}}, {.axis = 1, .size = 4, .kept = {1, 3}}}, "w");
  EXPECT_THAT(rest, kit::HasSameBits(kit::tensor_of({1, 3, 9, 11}, {2, 2})));
  EXPECT_TRUE(rest.is_contiguous());
  EXPECT_THAT(cut_tensor(kit::integers_of({5, 6, 7}), {{.axis = 0, .size = 3, .kept = {2}}}, "i"),
              kit::HasSameBits(kit::integers_of({7})));
}

TEST(CutMap, OtherSizesAreRefused) {
  const Tensor tensor = kit::tensor_of({1, 2, 3});
  const auto cut = [&](const AxisCut& axis) {
    return [&tensor, axis] { (void)cut_tensor(tensor, {axis}, "momentum of w"); };
  };
  kit::expect_user_error(cut({.axis = 0, .size = 4, .kept = {0}}),
                         "cannot cut the tensor 'momentum of w': axis 0: got size 3, expected size "
                         "4");
  kit::expect_user_error(cut({.axis = 1, .size = 4, .kept = {0}}), "got 1 axes");
}

}  // namespace
}  // namespace espalier::prune
