#include "espalier/prune/count_search.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using Counts = CountSearch::Counts;
using testing::ElementsAre;

std::vector<GroupScores> scores_of(const std::vector<double>& first,
                                   const std::vector<double>& second) {
  return {{.scores = first}, {.scores = second}, {.scores = {}, .missing = "it cannot be cut"}};
}

const std::vector<GroupScores> kScores =
    scores_of({8, 7, 6, 5, 4, 3, 2, 1}, {0.5, 0.6, 0.7, 10, 20, 30});

/// The best counts for the chain of 8 and 6 filters by trying all of them.
Counts best_of_all(const CountSearch& search, const std::function<double(const Counts&)>& loss) {
  Counts best;
  double least = HUGE_VAL;
  for (const std::int64_t first : search.candidates()[0].counts) {
    for (const std::int64_t second : search.candidates()[1].counts) {
      const Counts counts{first, second, 0};
      if (!search.fits(counts) || loss(counts) >= least) continue;
      best = counts;
      least = loss(counts);
    }
  }
  return best;
}

TEST(CountSearch, UniformTakesTheSameShareAndNoMoreThanNeeded) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  for (double remaining = 0.15; remaining < 1; remaining += 0.05) {
    const BudgetOptions options{.remaining = remaining, .limits = {.align = 1}};
    const CountSearch search(graph, map, kScores, options);
    const Counts counts = search.find();
    EXPECT_TRUE(search.fits(counts)) << remaining;
    EXPECT_NEAR(static_cast<double>(counts[0]) / 8, static_cast<double>(counts[1]) / 6, 0.17)
        << remaining;
    // One filter less of both would be too little.
    const Counts less{std::max<std::int64_t>(counts[0] - 1, 0),
                      std::max<std::int64_t>(counts[1] - 1, 0), 0};
    EXPECT_FALSE(search.fits(less)) << remaining;
  }
}

TEST(CountSearch, GlobalTakesTheLeastScoresWhereverTheyAre) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  BudgetOptions options{.kind = BudgetKind::Filters,
                        .remaining = 9.0 / 14,
                        .strategy = Strategy::Global,
                        .limits = {.align = 1}};
  // The five least: 0.5, 0.6, 0.7 of the second layer, 1 and 2 of the first.
  EXPECT_THAT(CountSearch(graph, map, kScores, options).find(), ElementsAre(2, 3, 0));
  options.remaining = 7.0 / 14;
  EXPECT_THAT(CountSearch(graph, map, kScores, options).find(), ElementsAre(4, 3, 0));
}

TEST(CountSearch, NoGroupLosesAWidthThatTheBudgetLeaves) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  for (double remaining = 0.15; remaining < 1; remaining += 0.05) {
    const BudgetOptions options{
        .remaining = remaining, .strategy = Strategy::Global, .limits = {.align = 2}};
    const CountSearch search(graph, map, kScores, options);
    const Counts counts = search.find();
    if (!search.fits(counts)) continue;  // a quarter is the least that may stay
    for (const std::size_t group : {0, 1}) {
      if (counts[group] == 0) continue;
      Counts less = counts;
      less[group] -= 2;
      EXPECT_FALSE(search.fits(less)) << remaining << ", group " << group;
    }
  }
}

TEST(CountSearch, EqualScoresDoNotAllGoAtOnce) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const BudgetOptions options{.kind = BudgetKind::Filters,
                              .remaining = 10.0 / 14,
                              .strategy = Strategy::Global,
                              .limits = {.align = 1}};
  const auto scores = scores_of(std::vector<double>(8, 1.0), std::vector<double>(6, 1.0));
  const CountSearch search(graph, map, scores, options);
  const Counts counts = search.find();
  EXPECT_EQ(counts[0] + counts[1], 4);
  EXPECT_GE(counts[0], 2);
  EXPECT_GE(counts[1], 1);
}

TEST(CountSearch, SensitivitiesGiveEveryGroupTheSameLoss) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  BudgetOptions options{.kind = BudgetKind::Filters,
                        .remaining = 8.0 / 14,
                        .strategy = Strategy::Sensitivity,
                        .limits = {.align = 1}};
  // The second layer costs five times as much per share: of six filters one goes, of eight five.
  options.curves["c1"] = {.points = {{.removed = 0.9, .loss = 0.9}}};
  options.curves["c2"] = {.points = {{.removed = 0.9, .loss = 4.5}}};
  EXPECT_THAT(CountSearch(graph, map, kScores, options).find(), ElementsAre(5, 1, 0));
}

TEST(CountSearch, FlatCurvesAreFollowedOnlyAsFarAsNeeded) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  BudgetOptions options{.kind = BudgetKind::Filters,
                        .remaining = 12.0 / 14,
                        .strategy = Strategy::Sensitivity,
                        .limits = {.align = 1}};
  // Up to 75 % of the first layer costs nothing: two of its six free filters are enough.
  options.curves["c1"] = {.points = {{.removed = 0.75, .loss = 0}, {.removed = 0.9, .loss = 3}}};
  options.curves["c2"] = {.points = {{.removed = 0.5, .loss = 3}}};
  EXPECT_THAT(CountSearch(graph, map, kScores, options).find(), ElementsAre(2, 0, 0));
}

TEST(CountSearch, AnnealingFindsTheBestOfAll) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  for (const double remaining : {0.3, 0.5, 0.7, 0.9}) {
    BudgetOptions options{
        .remaining = remaining, .strategy = Strategy::Annealing, .limits = {.align = 1}};
    options.curves["c1"] = {
        .points = {{.removed = 0.25, .loss = 0.1}, {.removed = 0.75, .loss = 5}}};
    options.curves["c2"] = {.points = {{.removed = 0.5, .loss = 0.2}, {.removed = 0.8, .loss = 9}}};
    const CountSearch search(graph, map, kScores, options);
    const auto loss = [&](const Counts& counts) {
      return options.curves["c1"].loss_at(static_cast<double>(counts[0]) / 8) +
             options.curves["c2"].loss_at(static_cast<double>(counts[1]) / 6);
    };
    const Counts found = search.find();
    EXPECT_TRUE(search.fits(found));
    EXPECT_DOUBLE_EQ(loss(found), loss(best_of_all(search, loss))) << remaining;
  }
}

TEST(CountSearch, AnnealingMinimizesTheLossThatIsHandedIn) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  BudgetOptions options{.kind = BudgetKind::Filters,
                        .remaining = 9.0 / 14,
                        .strategy = Strategy::Annealing,
                        .limits = {.align = 1}};
  const Axis first{graph.find_value("w1"), 0};
  std::int64_t calls = 0;
  // Whatever the first layer loses costs: the second has to give all five.
  options.annealing.loss = [&](const Removal& removal) {
    ++calls;
    return static_cast<double>(8 - removal.num_kept(first));
  };
  EXPECT_THAT(CountSearch(graph, map, kScores, options).find(), ElementsAre(0, 5, 0));
  EXPECT_GT(calls, 10);
  EXPECT_LE(calls, 301);
}

TEST(CountSearch, WithoutCurvesAnnealingMinimizesTheScores) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const BudgetOptions options{.kind = BudgetKind::Filters,
                              .remaining = 9.0 / 14,
                              .strategy = Strategy::Annealing,
                              .limits = {.align = 1}};
  EXPECT_THAT(CountSearch(graph, map, kScores, options).find(), ElementsAre(2, 3, 0));
}

TEST(CountSearch, TheMostIsGivenWhereNothingFits) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const BudgetOptions options{.remaining = 0.001, .limits = {.align = 1, .max_removed = 0.5}};
  const CountSearch search(graph, map, kScores, options);
  EXPECT_THAT(search.find(), ElementsAre(4, 3, 0));
  EXPECT_FALSE(search.fits(search.find()));
}

}  // namespace
}  // namespace espalier::prune
