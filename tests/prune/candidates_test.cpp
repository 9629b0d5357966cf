#include "espalier/prune/candidates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Scores that fall with the position: the last channels go first.
std::vector<GroupScores> falling_scores(const ChannelMap& map) {
  std::vector<GroupScores> scores;
  for (const ChannelGroup& group : map.groups()) {
    GroupScores one;
    for (std::size_t place = 0; place < group.channels.size(); ++place) {
      one.scores.push_back(1.0 / static_cast<double>(place + 1));
    }
    scores.push_back(one);
  }
  return scores;
}

/// What happens to the group of this name under these limits.
Candidate candidate_of(const ir::Graph& graph, std::string_view name, const Limits& limits) {
  const ChannelMap map(graph);
  const auto candidates = find_candidates(map, falling_scores(map), limits);
  for (std::size_t index = 0; index < candidates.size(); ++index) {
    if (map.groups()[index].name == name) return candidates[index];
  }
  ADD_FAILURE() << "no group " << name;
  return {};
}

/// One layer of 48 filters between the input and a classifier.
ir::Graph wide() {
  return prune_test::named_graph_of(
      "g (float[1,3,4,4] x, float[48,3,1,1] a, float[5,48,1,1] b) => (float[1,5,4,4] y)"
      " { wide = Conv(x, a) y = Conv(wide, b) }");
}

TEST(Candidates, WidthsStayMultiplesOfTheAlignment) {
  EXPECT_THAT(candidate_of(wide(), "wide", {.align = 16}).counts, ElementsAre(0, 16, 32));
  EXPECT_THAT(candidate_of(wide(), "wide", {.align = 8}).counts, ElementsAre(0, 8, 16, 24, 32, 40));
  EXPECT_THAT(candidate_of(prune_test::chain(), "c1", {.align = 1, .max_removed = 0.5}).counts,
              ElementsAre(0, 1, 2, 3, 4));
}

TEST(Candidates, WidthsAndSharesHaveBounds) {
  EXPECT_THAT(candidate_of(wide(), "wide", {.align = 8, .min_width = 20}).counts,
              ElementsAre(0, 8, 16, 24));
  EXPECT_THAT(candidate_of(wide(), "wide", {.align = 8, .max_removed = 0.5}).counts,
              ElementsAre(0, 8, 16, 24));
  const Candidate stuck = candidate_of(prune_test::chain(), "c1", {.align = 16});
  EXPECT_THAT(stuck.counts, ElementsAre(0));
  EXPECT_EQ(stuck.untouched, "no width below 8 is a multiple of 16, at least 1, and leaves 10 %");
}

TEST(Candidates, ChannelsTiedTogetherCountWithTheirWidth) {
  // Groups of four channels go whole: a channel of the map is four filters wide.
  const ir::Graph graph = prune_test::named_graph_of(
      "g (float[1,3,4,4] x, float[32,3,1,1] a, float[32,4,1,1] b, float[2,32,1,1] c)"
      " => (float[1,2,4,4] y)"
      " { first = Conv(x, a) grouped = Conv<group=8>(first, b) y = Conv(grouped, c) }");
  const Candidate candidate = candidate_of(graph, "first", {.align = 8});
  EXPECT_EQ(candidate.channels, 8);
  EXPECT_THAT(candidate.counts, ElementsAre(0, 2, 4, 6));
}

TEST(Candidates, LeastScoresGoFirstAndTiesInOrder) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  std::vector<GroupScores> scores = falling_scores(map);
  scores[0].scores = {3, 1, 2, 1, 3, 0, 1, 3};
  const auto candidates = find_candidates(map, scores, {.align = 1});
  EXPECT_THAT(candidates[0].scores, ElementsAre(0, 1, 1, 1, 2, 3, 3, 3));
  const auto& channels = map.groups()[0].channels;
  EXPECT_THAT(candidates[0].order, ElementsAre(channels[5], channels[1], channels[3], channels[6],
                                               channels[2], channels[0], channels[4], channels[7]));
}

TEST(Candidates, GroupsSayWhyTheyStay) {
  const ir::Graph graph = prune_test::chain();
  EXPECT_EQ(candidate_of(graph, "y", {.align = 1}).untouched,
            "output 'y' of the graph: its shape is what callers expect");
  EXPECT_EQ(candidate_of(graph, "c2", {.align = 1, .skip = {"c2"}}).untouched,
            "layer 'c2' is to be left alone");
  EXPECT_EQ(candidate_of(graph, "c2", {.align = 1, .skip = {"w2"}}).untouched,
            "layer 'c2' is to be left alone");
  EXPECT_EQ(candidate_of(graph, "c1", {.align = 1, .cut_first = false}).untouched,
            "it holds the first layer");
  EXPECT_EQ(candidate_of(graph, "c1", {.align = 1, .skip = {"c?"}}).untouched,
            "layer 'c1' is to be left alone");
  EXPECT_EQ(candidate_of(graph, "c1", {.align = 1}).untouched, "");
}

TEST(Candidates, TheLastLayerCanBeLeftAlone) {
  const ir::Graph graph = prune_test::named_graph_of(
      "g (float[1,3,4,4] x, float[8,3,1,1] a, float[8,8,1,1] b) => (float[1,1,4,4] y)"
      " { one = Conv(x, a) two = Conv(one, b) y = ReduceL2<axes=[1]>(two) }");
  EXPECT_EQ(candidate_of(graph, "two", {.align = 1}).untouched, "");
  EXPECT_EQ(candidate_of(graph, "two", {.align = 1, .cut_last = false}).untouched,
            "it holds the last layer");
}

TEST(Candidates, MissingScoresKeepAGroup) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  std::vector<GroupScores> scores = falling_scores(map);
  scores[1] = {.scores = {}, .missing = "no normalization scales these channels"};
  const auto candidates = find_candidates(map, scores, {.align = 1});
  EXPECT_EQ(candidates[1].untouched, "no normalization scales these channels");
  EXPECT_THAT(candidates[1].order, IsEmpty());
}

TEST(Candidates, ImpossibleLimitsAreRefused) {
  const ir::Graph graph = prune_test::chain();
  const auto with = [&](const Limits& limits) {
    return [&graph, limits] {
      const ChannelMap map(graph);
      (void)find_candidates(map, falling_scores(map), limits);
    };
  };
  kit::expect_user_error(with({.align = 0}), "channel alignment: got 0, expected at least 1");
  kit::expect_user_error(with({.min_width = 0}), "minimum width: got 0, expected at least 1");
  kit::expect_user_error(with({.max_removed = 1}),
                         "largest share removed of a group: got 1, expected a number in [0, 1)");
  kit::expect_user_error(with({.skip = {"c1", "conv*"}}),
                         "a pattern of layers not to prune matches nothing: got 'conv*'");
  kit::expect_user_error(
      [&] {
        const ChannelMap map(graph);
        (void)find_candidates(map, {}, {});
      },
      "pruning scores: got 0 groups, expected 3");
}

TEST(Candidates, NearestPrefersTheSmallerOfTwo) {
  const Candidate candidate{.counts = {0, 16, 32}};
  EXPECT_EQ(candidate.nearest(7.9), 0);
  EXPECT_EQ(candidate.nearest(8), 0);
  EXPECT_EQ(candidate.nearest(8.1), 16);
  EXPECT_EQ(candidate.nearest(24), 16);
  EXPECT_EQ(candidate.nearest(500), 32);
}

TEST(Candidates, CountsBecomeRemovals) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const auto candidates = find_candidates(map, falling_scores(map), {.align = 1});
  const Removal removal = remove_counts(map, candidates, {3, 1, 0});
  EXPECT_THAT(removal.kept({graph.find_value("w1"), 0}), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(removal.kept({graph.find_value("w2"), 1}), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(removal.kept({graph.find_value("w2"), 0}), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(removal.num_kept({graph.find_value("w3"), 1}), 5);
  EXPECT_FALSE(removal.cuts({graph.find_value("w3"), 0}));
}

}  // namespace
}  // namespace espalier::prune
