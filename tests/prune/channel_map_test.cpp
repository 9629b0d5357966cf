#include "espalier/prune/channel_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using prune_test::named_graph_of;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> names_of(const ChannelMap& map) {
  std::vector<std::string> names;
  for (const ChannelGroup& group : map.groups()) names.push_back(group.name);
  return names;
}

TEST(ChannelMap, GroupsAreNamedAfterTheirFirstLayer) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  EXPECT_THAT(names_of(map), ElementsAre("c1", "c2", "y"));
  const ChannelGroup& first = map.groups()[0];
  EXPECT_THAT(first.channels, SizeIs(8));
  EXPECT_THAT(first.widths, testing::Each(1));
  EXPECT_THAT(first.layers, ElementsAre(0U));
  EXPECT_THAT(first.vetoes, IsEmpty());
  EXPECT_TRUE(first.can_be_cut());
  const ChannelGroup& last = map.groups()[2];
  EXPECT_FALSE(last.can_be_cut());
  EXPECT_THAT(last.fixed, SizeIs(5));
  EXPECT_THAT(last.vetoes, ElementsAre(Veto{.where = "output 'y' of the graph",
                                            .reason = "its shape is what callers expect"}));
}

TEST(ChannelMap, AxesThatCorrespondShareTheirChannels) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const auto filters = map.along({graph.find_value("w1"), 0});
  EXPECT_THAT(filters, SizeIs(8));
  EXPECT_EQ(map.along({graph.find_value("w2"), 1}).data(), filters.data());
  EXPECT_EQ(map.along({graph.find_value("b1"), 0}).data(), filters.data());
  EXPECT_NE(map.along({graph.find_value("w2"), 0}).data(), filters.data());
  EXPECT_THAT(map.along({nullptr, 0}), IsEmpty());
}

TEST(ChannelMap, SumsJoinTheLayersOfAllOperands) {
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,4,4] x, float[4,3,1,1] wa, float[4,3,1,1] wb, float[2,4,1,1] wc)"
      " => (float[1,2,4,4] y) { a = Conv(x, wa) b = Conv(x, wb) s = Add(a, b) y = Conv(s, wc) }");
  const ChannelMap map(graph);
  EXPECT_THAT(names_of(map), ElementsAre("a", "y"));
  EXPECT_THAT(map.groups()[0].layers, ElementsAre(0U, 1U));
  EXPECT_THAT(map.groups()[0].channels, SizeIs(4));
}

TEST(ChannelMap, PartsOfALayerThatGoDifferentWaysAreGroupsOfTheirOwn) {
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,4,4] x, float[6,3,1,1] wa, float[2,2,1,1] wb, float[2,4,1,1] wc)"
      " => (float[1,2,4,4] y, float[1,2,4,4] z) {"
      " a = Conv(x, wa) s = Constant<value_ints=[2,4]>() p, q = Split<axis=1>(a, s)"
      " y = Conv(p, wb) z = Conv(q, wc) }");
  const ChannelMap map(graph);
  EXPECT_THAT(names_of(map), testing::IsSupersetOf({"a", "a#2"}));
}

TEST(ChannelMap, WidthsCountPositionsThatGoTogether) {
  // A depthwise layer with three filters a channel.
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,4,4] x, float[2,3,1,1] wa, float[6,1,3,3] wb, float[2,6,1,1] wc)"
      " => (float[1,2,2,2] y)"
      " { a = Conv(x, wa) b = Conv<group=2>(a, wb) y = Conv(b, wc) }");
  const ChannelMap map(graph);
  EXPECT_THAT(names_of(map), ElementsAre("a", "y"));
  EXPECT_THAT(map.groups()[0].channels, SizeIs(2));
  EXPECT_THAT(map.groups()[0].widths, ElementsAre(3, 3));
}

TEST(ChannelMap, FixedChannelsSayWhy) {
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,4,4] x, float[4,3,1,1] wa, float[2,4,1,1] wb) => (float[1,2,4,4] y)"
      " { a = Conv(x, wa) s = Softmax<axis=1>(a) y = Conv(s, wb) }");
  const ChannelMap map(graph);
  EXPECT_FALSE(map.groups()[0].can_be_cut());
  EXPECT_THAT(map.groups()[0].vetoes,
              ElementsAre(Veto{.where = "node 's' (Softmax)",
                               .reason = "it normalizes over all positions"}));
  const ChannelId channel = map.along({graph.find_value("wa"), 0})[1];
  EXPECT_TRUE(map.is_fixed(channel));
  EXPECT_THAT(map.vetoes_of(channel), SizeIs(1));
  EXPECT_THAT(map.vetoes_of(map.along({graph.find_value("wa"), 2})[0]), SizeIs(1));
}

TEST(ChannelMap, KeepsToTheChoicesOfTheGraphItWasCutFrom) {
  // 4 groups of 3 channels lose whole groups; of 2 groups of 3, places would go.
  const auto text = [](const std::string& channels) {
    return "g (float[1,3,4,4] x, float[" + channels + ",3,1,1] wa, float[" + channels +
           ",3,1,1] wb, float[2," + channels +
           ",1,1] wc) => (float[1,2,4,4] y)"
           " { a = Conv(x, wa) b = Conv<group=" +
           (channels == "12" ? "4" : "2") + ">(a, wb) y = Conv(b, wc) }";
  };
  const ir::Graph whole = named_graph_of(text("12"));
  const ChannelMap before(whole);
  EXPECT_EQ(before.choices().whole_groups.at("b"), true);
  const ir::Graph cut = named_graph_of(text("6"));
  EXPECT_THAT(ChannelMap(cut).groups().at(0).channels, SizeIs(3));
  const ChannelMap after(cut, before.choices());
  EXPECT_THAT(after.groups().at(0).channels, SizeIs(2));
  EXPECT_EQ(after.choices().whole_groups, before.choices().whole_groups);
}

TEST(ChannelMap, AReshapePassesOnWhoForbidsItsFactors) {
  // Channels are merged with the map's positions, and Softmax forbids what is left.
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,2,2] x, float[4,3,1,1] wa) => (float[1,16] y) {"
      " a = Conv(x, wa) i = Constant<value_ints=[1,16]>() r = Reshape(a, i)"
      " y = Softmax<axis=1>(r) }");
  const ChannelMap map(graph);
  ASSERT_THAT(names_of(map), ElementsAre("a"));
  EXPECT_FALSE(map.groups()[0].can_be_cut());
  EXPECT_THAT(map.groups()[0].channels, SizeIs(4));
  EXPECT_THAT(map.groups()[0].vetoes,
              testing::Contains(testing::Field(&Veto::where, "node 'y' (Softmax)")));
}

TEST(ChannelMap, OnlyTheFactorThatCanLoseMostOfAReshapeIsFree) {
  // [8] as [2, 4]: whatever the second factor loses, both halves lose.
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,4,4] x, float[8,3,1,1] wa, float[2,8,1,1] wb) => (float[1,2,4,4] y) {"
      " a = Conv(x, wa) i = Constant<value_ints=[1,2,4,4,4]>() r = Reshape(a, i)"
      " t = Transpose<perm=[0,2,1,3,4]>(r) j = Constant<value_ints=[1,8,4,4]>()"
      " b = Reshape(t, j) y = Conv(b, wb) }");
  EXPECT_EQ(prune_test::ties(graph, {{"wa", 0}, {"r", 2}, {"wb", 1}}),
            "0 1 2 3 0 1 2 3 | 0 1 2 3 | 0 0 1 1 2 2 3 3");
}

TEST(ChannelMap, ScalesAndContractionsAreListed) {
  const ir::Graph graph = named_graph_of(
      "g (float[1,3,4,4] x, float[4,3,1,1] w, float[4] s, float[4] b, float[4] m, float[4] v)"
      " => (float[1,4,4,4] y) { a = Conv(x, w) y = BatchNormalization(a, s, b, m, v) }");
  const ChannelMap map(graph);
  ASSERT_THAT(map.scales(), SizeIs(1));
  EXPECT_EQ(map.scales()[0].scale.value, graph.find_value("s"));
  ASSERT_THAT(map.contractions(), SizeIs(1));
  EXPECT_EQ(map.contractions()[0].node, graph.find_node("a"));
  EXPECT_EQ(map.contractions()[0].axis, 1U);
}

}  // namespace
}  // namespace espalier::prune
