// The proof on a small network of every kind: a cut graph computes what the masked one computes.
#include <algorithm>

#include <gtest/gtest.h>

#include "espalier/ops/cost.h"
#include "espalier/passes/check_cut.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/prune/cost_model.h"
#include "espalier/recipe/prune_plan_yaml.h"
#include "tests/integration/random_plan.h"
#include "tests/integration/small_networks.h"
#include "tests/kit/graph_text.h"

namespace espalier::passes {
namespace {

using prune_test::SmallNetwork;

class PrunedNetwork : public testing::TestWithParam<SmallNetwork> {};

TEST_P(PrunedNetwork, HasTheGroupsThatItsShapeAllows) {
  const ir::Graph graph = GetParam().make();
  const prune::ChannelMap map(graph);
  std::string listed;
  std::size_t cuttable = 0;
  for (const prune::ChannelGroup& group : map.groups()) {
    cuttable += group.can_be_cut() ? 1 : 0;
    listed += group.name + (group.can_be_cut() ? " " : " (fixed) ") +
              std::to_string(group.channels.size()) + "\n";
  }
  EXPECT_EQ(cuttable, GetParam().groups) << listed << kit::to_text(graph);
}

TEST_P(PrunedNetwork, CutEqualsMasked) {
  const ir::Graph graph = GetParam().make();
  for (const double share : {0.3, 0.6}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const prune::PrunePlan plan = prune_test::random_plan(graph, seed, share);
      const CutCheck check = check_cut(graph, plan, {.seed = seed});
      EXPECT_LE(check.difference64, 1e-10);
      EXPECT_LE(check.difference32, 1e-4);
      ASSERT_TRUE(check.wrong_difference.has_value());
      EXPECT_GE(*check.wrong_difference, 1e-3);
      EXPECT_GE(check.weakest_share, 0.01) << check.weakest_node;
      EXPECT_TRUE(check.passed);
    }
  }
}

TEST_P(PrunedNetwork, ItsPlanIsReadAsItIsWritten) {
  const ir::Graph graph = GetParam().make();
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const prune::PrunePlan plan = prune_test::random_plan(graph, seed, 0.4);
    EXPECT_EQ(recipe::parse_prune_plan(recipe::print_prune_plan(plan), "plan.yaml"), plan);
  }
}

TEST_P(PrunedNetwork, CutTwiceIsCutAtOnce) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    EXPECT_TRUE(prune_test::two_cuts_are_one(GetParam().make(), seed, 0.3)) << "seed " << seed;
  }
}

TEST_P(PrunedNetwork, GetsSmaller) {
  ir::Graph graph = GetParam().make();
  const std::int64_t macs = ops::total_macs(graph).macs;
  const std::int64_t parameters = ops::parameters(graph);
  cut_channels(graph, prune_test::random_plan(graph, 1, 0.5));
  EXPECT_LT(ops::total_macs(graph).macs, 0.9 * static_cast<double>(macs));
  EXPECT_LT(ops::parameters(graph), 0.9 * static_cast<double>(parameters));
}

TEST_P(PrunedNetwork, CostsWhatTheModelOfCostsSays) {
  const ir::Graph graph = GetParam().make();
  const prune::ChannelMap map(graph);
  const prune::CostModel model(graph, map);
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const prune::PrunePlan plan = prune_test::random_plan(graph, seed, 0.4);
    const prune::NetworkCost cost = model.cost(prune::resolve(plan, map, graph));
    ir::Graph cut = graph.clone();
    cut_channels(cut, plan);
    EXPECT_EQ(cost.macs, ops::total_macs(cut).macs);
    EXPECT_EQ(cost.parameters, ops::parameters(cut));
  }
}

INSTANTIATE_TEST_SUITE_P(All, PrunedNetwork, testing::ValuesIn(prune_test::small_networks()),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace espalier::passes
