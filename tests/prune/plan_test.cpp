#include "espalier/prune/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/analysis/model_id.h"
#include "tests/kit/expect_error.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

PrunePlan plan_of(const std::vector<GroupCut>& cuts) {
  return {.model_id = {}, .criterion = {}, .cuts = cuts};
}

TEST(Plan, NamingOneLayerIsEnough) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const PrunePlan plan =
      plan_of({{.group = "c1", .initializer = "w1", .axis = 0, .removed = {2, 5}}});
  const Removal removal = resolve(plan, map, graph);
  for (const auto& [name, axis] : {std::pair{"w1", 0}, {"b1", 0}, {"w2", 1}, {"r1", 1}}) {
    EXPECT_THAT(removal.kept({graph.find_value(name), static_cast<std::size_t>(axis)}),
                ElementsAre(0, 1, 3, 4, 6, 7))
        << name;
  }
  EXPECT_FALSE(removal.cuts({graph.find_value("w2"), 0}));
  EXPECT_EQ(removal.num_kept({graph.find_value("w2"), 0}), 6);
}

TEST(Plan, IsMadeFromARemovalAndGivesItBack) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  Removal removal(map);
  removal.remove(map.groups()[1].channels[5]);
  removal.remove(map.groups()[1].channels[0]);
  removal.remove(map.groups()[0].channels[7]);
  const PrunePlan plan = make_plan(removal, graph);
  EXPECT_EQ(plan.model_id, analysis::model_id(graph));
  EXPECT_THAT(
      plan.cuts,
      ElementsAre(GroupCut{.group = "c1", .initializer = "w1", .axis = 0, .removed = {7}},
                  GroupCut{.group = "c2", .initializer = "w2", .axis = 0, .removed = {0, 5}}));
  const Removal again = resolve(plan, map, graph);
  for (ChannelId channel = 0; channel < map.num_channels(); ++channel) {
    EXPECT_EQ(again.is_removed(channel), removal.is_removed(channel)) << channel;
  }
  EXPECT_THAT(make_plan(Removal(map), graph).cuts, IsEmpty());
}

TEST(Plan, PositionsAreThoseOfTheNamedTensor) {
  const ir::Graph graph = prune_test::named_graph_of(
      "g (float[1,3,4,4] x, float[6,3,1,1] wa, float[6,3,1,1] wb, float[2,12,1,1] wc)"
      " => (float[1,2,4,4] y)"
      " { a = Conv(x, wa) b = Conv(x, wb) j = Concat<axis=1>(a, b) y = Conv(j, wc) }");
  const ChannelMap map(graph);
  Removal removal(map);
  removal.remove(map.groups().at(1).channels.at(2));
  const PrunePlan plan = make_plan(removal, graph);
  EXPECT_THAT(plan.cuts,
              ElementsAre(GroupCut{.group = "b", .initializer = "wb", .axis = 0, .removed = {2}}));
  EXPECT_THAT(resolve(plan, map, graph).kept({graph.find_value("wc"), 1}),
              ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11));
}

TEST(Plan, EntriesThatDoNotFitAreRefused) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const auto with = [&](const GroupCut& cut) {
    return [&, cut] { (void)resolve(plan_of({cut}), map, graph); };
  };
  kit::expect_user_error(with({.group = "c9", .initializer = "w9", .axis = 0, .removed = {0}}),
                         "cannot apply the pruning plan: group 'c9': got 'w9', expected an "
                         "initializer of the graph");
  kit::expect_user_error(with({.group = "c1", .initializer = "r1", .axis = 1, .removed = {0}}),
                         "got 'r1', expected an initializer of the graph");
  kit::expect_user_error(with({.group = "c1", .initializer = "w1", .axis = 4, .removed = {0}}),
                         "got axis 4 of 'w1', expected 0..3");
  kit::expect_user_error(with({.group = "c1", .initializer = "w1", .axis = 0, .removed = {8}}),
                         "group 'c1', 'w1': got position 8, expected 0..7");
  const std::string text =
      kit::expect_user_error(with({.group = "y", .initializer = "w3", .axis = 0, .removed = {1}}),
                             "got position 1, which must stay");
  EXPECT_THAT(text, testing::HasSubstr("output 'y' of the graph"));
  kit::expect_user_error(
      with({.group = "c2", .initializer = "w2", .axis = 0, .removed = {0, 1, 2, 3, 4, 5}}),
      "got all 6 positions of axis 0 removed, expected at least one that stays");
}

TEST(Plan, OtherModelsAreRefused) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  PrunePlan plan = plan_of({});
  plan.model_id = "another";
  kit::expect_user_error([&] { (void)resolve(plan, map, graph); },
                         "expected model 'another', for which the plan was made");
}

}  // namespace
}  // namespace espalier::prune
