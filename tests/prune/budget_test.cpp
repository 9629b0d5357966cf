#include "espalier/prune/budget.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

struct Case {
  ir::Graph graph = prune_test::chain();
  ChannelMap map{graph};
  std::vector<GroupScores> scores = score_channels(map, {});

  BudgetResult meet(BudgetOptions options) {
    options.limits.align = 1;
    return meet_budget(graph, map, scores, options);
  }
};

TEST(Budget, EveryKindIsMet) {
  for (const BudgetKind kind :
       {BudgetKind::Filters, BudgetKind::Macs, BudgetKind::Parameters, BudgetKind::Bytes}) {
    for (const Strategy strategy : {Strategy::Uniform, Strategy::Global, Strategy::Annealing}) {
      const BudgetResult result =
          Case().meet({.kind = kind, .remaining = 0.5, .strategy = strategy});
      EXPECT_TRUE(result.reached) << result.reason;
      EXPECT_LE(result.remaining, 0.5) << to_string(kind);
      EXPECT_GE(result.remaining, 0.35) << to_string(kind);
      EXPECT_DOUBLE_EQ(result.remaining, static_cast<double>(amount(result.after, kind)) /
                                             static_cast<double>(amount(result.before, kind)));
      EXPECT_EQ(result.reason, "");
    }
  }
}

TEST(Budget, AShareOfFiltersIsTheSameOfEveryLayer) {
  // 8 and 6 filters: half of both.
  const BudgetResult result = Case().meet({.kind = BudgetKind::Filters, .remaining = 0.5});
  ASSERT_EQ(result.groups.size(), 3U);
  EXPECT_EQ(result.groups[0].removed, 4);
  EXPECT_EQ(result.groups[1].removed, 3);
  EXPECT_EQ(result.groups[2].removed, 0);
  EXPECT_EQ(result.groups[2].untouched,
            "output 'y' of the graph: its shape is what callers expect");
  EXPECT_DOUBLE_EQ(result.remaining, 0.5);
}

TEST(Budget, NothingGoesWhenEverythingMayStay) {
  const BudgetResult result = Case().meet({.remaining = 1});
  EXPECT_TRUE(result.reached);
  EXPECT_EQ(result.before, result.after);
  EXPECT_TRUE(result.plan.cuts.empty());
}

TEST(Budget, AMissedBudgetIsSaidWithItsReasons) {
  Case here;
  const BudgetResult result = here.meet({.remaining = 0.05, .limits = {.skip = {"c1"}}});
  EXPECT_FALSE(result.reached);
  // Layer c2 keeps one filter of six, the most that 0.9 allows.
  const double least = (13824.0 + 8 * 64 + 5) / 16926;
  EXPECT_DOUBLE_EQ(result.remaining, least);
  EXPECT_EQ(result.reason,
            "asked to keep at most 5.0 % of the macs, reached 84.7 %: 2 of 3 groups lose nothing: "
            "'c1' (layer 'c1' is to be left alone), 'y' (output 'y' of the graph: its shape is "
            "what callers expect); no group may lose more than 90 % of its channels");
  EXPECT_EQ(result.groups[1].removed, 5);
}

TEST(Budget, AMissedBudgetNamesAlignmentAndCurvesWhereTheyBind) {
  Case here;
  const BudgetResult aligned =
      meet_budget(here.graph, here.map, here.scores, {.remaining = 0.05, .limits = {.align = 4}});
  EXPECT_FALSE(aligned.reached);
  EXPECT_THAT(aligned.reason,
              testing::EndsWith("callers expect); no group may lose more than 90 % of its "
                                "channels, and widths stay multiples of 4 (align)"));
  BudgetOptions options{.remaining = 0.05, .strategy = Strategy::Sensitivity};
  options.limits.align = 1;
  options.curves["c1"] = {.points = {{.removed = 0.5, .loss = 1}}};
  options.curves["c2"] = {.points = {{.removed = 0.5, .loss = 1}}};
  const BudgetResult by_curves = meet_budget(here.graph, here.map, here.scores, options);
  EXPECT_FALSE(by_curves.reached);
  EXPECT_THAT(by_curves.reason,
              testing::EndsWith("callers expect); the sensitivity curves of 2 of 3 groups end "
                                "before their limits"));
}

TEST(Budget, AGraphWithNothingToCutIsRefused) {
  Case here;
  kit::expect_user_error(
      [&] {
        (void)here.meet({.limits = {.skip = {"c1", "c2"}}});
      },
      "nothing of graph 'chain' can be cut: 3 of 3 groups lose nothing: 'c1' (layer 'c1' is to be "
      "left alone), 'c2' (layer 'c2' is to be left alone), 'y' (output 'y' of the graph: its shape "
      "is what callers expect)");
}

TEST(Budget, LossesAreMetGroupByGroup) {
  Case here;
  BudgetOptions options{.limits = {.align = 1}};
  options.curves["c1"] = {.points = {{.removed = 0.5, .loss = 1}, {.removed = 0.75, .loss = 2}}};
  options.curves["c2"] = {.points = {{.removed = 0.5, .loss = 6}}};
  const BudgetResult result = meet_loss(here.graph, here.map, here.scores, 1.6, options);
  // c1: 0.5 + 0.25 * 0.6 = 0.65 of 8 channels is 5.2; c2: 0.5 * 1.6 / 6 = 0.133 of 6 is 0.8.
  EXPECT_EQ(result.groups[0].removed, 5);
  EXPECT_EQ(result.groups[1].removed, 0);
  EXPECT_TRUE(result.reached);
  EXPECT_DOUBLE_EQ(result.remaining, (3.0 * 27 * 64 + 6 * 3 * 64 + 30) / 16926);
  kit::expect_user_error([&] { (void)meet_loss(here.graph, here.map, here.scores, -1, options); },
                         "loss that pruning may cost: got -1, expected at least 0");
  kit::expect_user_error([&] { (void)meet_loss(here.graph, here.map, here.scores, 1, {}); },
                         "pruning to a loss needs the curve of at least one channel group");
}

TEST(Budget, GroupsWithoutACurveAreLeftWhole) {
  BudgetOptions options{.remaining = 0.7, .strategy = Strategy::Sensitivity};
  options.curves["c1"] = {.points = {{.removed = 0.8, .loss = 1}}};
  const BudgetResult result = Case().meet(options);
  EXPECT_TRUE(result.reached);
  EXPECT_EQ(result.groups[0].removed, 3);
  EXPECT_EQ(result.groups[1].removed, 0);
  EXPECT_EQ(result.groups[1].untouched, "it has no sensitivity curve");
}

TEST(Budget, AnnealingTakesNothingFromGroupsThatWereNotMeasured) {
  BudgetOptions options{.remaining = 0.7, .strategy = Strategy::Annealing};
  options.curves["c1"] = {.points = {{.removed = 0.8, .loss = 100}}};
  const BudgetResult result = Case().meet(options);
  EXPECT_TRUE(result.reached);
  EXPECT_GT(result.groups[0].removed, 0);
  EXPECT_EQ(result.groups[1].removed, 0) << "it would have been free";
  EXPECT_EQ(result.groups[1].untouched, "it has no sensitivity curve");
}

TEST(Budget, OptionsOutOfRangeAreRefused) {
  const auto with = [](const BudgetOptions& options) {
    return [options] { (void)Case().meet(options); };
  };
  for (const double share : {0.0, -0.5, 1.5}) {
    kit::expect_user_error(with({.remaining = share}), "expected a number in (0, 1]");
  }
  kit::expect_user_error(with({.strategy = Strategy::Sensitivity}),
                         "pruning by sensitivities needs the curve of at least one channel group");
  BudgetOptions misnamed{.strategy = Strategy::Sensitivity};
  misnamed.curves["c3"] = {.points = {{.removed = 0.5, .loss = 1}}};
  kit::expect_user_error(with(misnamed), "a sensitivity curve belongs to no channel group");
  BudgetOptions unsorted{.strategy = Strategy::Sensitivity};
  unsorted.curves["c1"] = {.points = {{.removed = 0.5, .loss = 1}, {.removed = 0.2, .loss = 2}}};
  kit::expect_user_error(with(unsorted), "got share 0.2 after 0.5, expected ascending shares");
  BudgetOptions endless{.strategy = Strategy::Sensitivity};
  endless.curves["c1"] = {.points = {{.removed = 0.5, .loss = NAN}}};
  kit::expect_user_error(with(endless), "sensitivity curve of 'c1': got loss nan at share 0.5");
  kit::expect_user_error(with({.annealing = {.cooling = 1}}), "annealing: got 300 iterations");
}

TEST(Budget, NamesAreParsed) {
  EXPECT_EQ(parse_budget_kind("parameters"), BudgetKind::Parameters);
  EXPECT_EQ(to_string(BudgetKind::Bytes), "bytes");
  EXPECT_EQ(parse_strategy("annealing"), Strategy::Annealing);
  kit::expect_user_error([] { (void)parse_budget_kind("flops"); },
                         "unknown kind of pruning budget");
  kit::expect_user_error([] { (void)parse_strategy("unifrom"); }, "did you mean 'uniform'");
}

TEST(Budget, EqualScoresGiveEqualPlans) {
  Case here;
  for (GroupScores& group : here.scores) std::ranges::fill(group.scores, 1.0);
  for (const Strategy strategy : {Strategy::Uniform, Strategy::Global, Strategy::Annealing}) {
    const BudgetResult first = here.meet({.strategy = strategy});
    EXPECT_EQ(here.meet({.strategy = strategy}).plan, first.plan);
    EXPECT_TRUE(first.reached);
  }
}

}  // namespace
}  // namespace espalier::prune
