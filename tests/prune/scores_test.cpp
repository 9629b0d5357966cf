#include "espalier/prune/scores.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pointwise;

/// Two layers whose outputs are added, each scaled by a normalization: group "a" of 3 channels.
ir::Graph sum_of_two() {
  ir::Graph graph = prune_test::named_graph_of(
      "g (float[1,2,4,4] x, float[3,2,1,1] wa, float[3,2,1,1] wb, float[3] sa, float[3] sb,"
      " float[3] o, float[3] m, float[3] v, float[4,3,1,1] wc) => (float[1,4,4,4] y) {"
      " a = Conv(x, wa) na = BatchNormalization(a, sa, o, m, v)"
      " b = Conv(x, wb) nb = BatchNormalization(b, sb, o, m, v)"
      " s = Add(na, nb) y = Conv(s, wc) }");
  const auto set = [&](std::string_view name, const std::vector<float>& values,
                       const kit::Sizes& sizes) {
    graph.set_constant(*graph.find_value(name), kit::tensor_of(values, sizes));
  };
  set("wa", {1, -2, 0, 4, 3, 3}, {3, 2, 1, 1});  // l1: 3, 4, 6
  set("wb", {5, 0, -1, 1, 2, 0}, {3, 2, 1, 1});  // l1: 5, 2, 2
  set("sa", {1, -3, 0.5}, {3});
  set("sb", {2, 0, 0.25}, {3});
  return graph;
}

std::vector<double> scores_of(const ir::Graph& graph, const ScoreOptions& options) {
  const ChannelMap map(graph);
  return score_channels(map, options).at(0).scores;
}

TEST(Scores, LayersOfAGroupAreReduced) {
  const ir::Graph graph = sum_of_two();
  const auto reduced = [&](Reduction reduction) {
    return scores_of(graph, {.criterion = "l1", .reduction = reduction, .scaling = Scaling::None});
  };
  EXPECT_THAT(reduced(Reduction::Mean), ElementsAre(4, 3, 4));
  EXPECT_THAT(reduced(Reduction::Max), ElementsAre(5, 4, 6));
  EXPECT_THAT(reduced(Reduction::First), ElementsAre(3, 4, 6));
  EXPECT_THAT(reduced(Reduction::Norm),
              ElementsAre(DoubleNear(std::sqrt(34.0), 1e-12), DoubleNear(std::sqrt(20.0), 1e-12),
                          DoubleNear(std::sqrt(40.0), 1e-12)));
}

TEST(Scores, GroupsAreScaled) {
  const ir::Graph graph = sum_of_two();
  const auto scaled = [&](Scaling scaling) {
    return scores_of(graph, {.criterion = "l1", .reduction = Reduction::Max, .scaling = scaling});
  };
  const double norm = std::sqrt(25.0 + 16 + 36);
  EXPECT_THAT(scaled(Scaling::GroupMean), ElementsAre(1, 0.8, 1.2));
  EXPECT_THAT(scaled(Scaling::GroupMax), Pointwise(DoubleNear(1e-15), {5 / 6.0, 4 / 6.0, 1.0}));
  EXPECT_THAT(scaled(Scaling::GroupNorm),
              Pointwise(DoubleNear(1e-15), {5 / norm, 4 / norm, 6 / norm}));
}

TEST(Scores, GlobalScalingKeepsTheOrderBetweenGroups) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const auto plain = score_channels(map, {.scaling = Scaling::None});
  const auto global = score_channels(map, {.scaling = Scaling::GlobalMean});
  double sum = 0;
  for (const std::size_t group : {0U, 1U}) {
    for (const double score : plain[group].scores) sum += score;
  }
  for (const std::size_t group : {0U, 1U}) {
    for (std::size_t place = 0; place < plain[group].scores.size(); ++place) {
      EXPECT_NEAR(global[group].scores[place], plain[group].scores[place] / (sum / 14), 1e-12);
    }
  }
}

TEST(Scores, NormalizationsSpeakForTheirChannels) {
  EXPECT_THAT(scores_of(sum_of_two(), {.criterion = "bn_scale", .scaling = Scaling::None}),
              ElementsAre(1.5, 1.5, 0.375));
}

TEST(Scores, GroupsThatCannotBeJudgedSaySo) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  const auto scores = score_channels(map, {.criterion = "bn_scale"});
  ASSERT_EQ(scores.size(), 3U);
  EXPECT_THAT(scores[0].scores, IsEmpty());
  EXPECT_EQ(scores[0].missing, "no normalization scales these channels");
  EXPECT_EQ(scores[2].missing, "it cannot be cut");
}

TEST(Scores, SquaredGradientsComeByName) {
  const ir::Graph graph = sum_of_two();
  ScoreOptions options{.criterion = "fisher", .scaling = Scaling::None};
  kit::expect_user_error([&] { (void)scores_of(graph, options); },
                         "criterion 'fisher' needs the gradients of 'wa', which are not given");
  options.squared_gradients["wa"] = kit::tensor_of({1, 1, 1, 1, 0, 2}, {3, 2, 1, 1});
  options.squared_gradients["wb"] = kit::tensor_of({1, 9, 2, 2}, {2, 2, 1, 1});
  kit::expect_user_error([&] { (void)scores_of(graph, options); },
                         "gradients of 'wb' do not have the sizes of the weight");
  options.squared_gradients["wb"] = kit::tensor_of({1, 9, 2, 2, 0, 0}, {3, 2, 1, 1});
  // Halves of 1 + 4, 16, 2 * 9 and 25, 2, 0.
  EXPECT_THAT(scores_of(graph, options), ElementsAre(7.5, 5, 4.5));
  options.squared_gradients["wa"][0][0] = std::numeric_limits<float>::quiet_NaN();
  kit::expect_user_error([&] { (void)scores_of(graph, options); },
                         "cannot score the filters of 'wa': got NaN or infinite gradients");
}

TEST(Scores, ChangesComeByTheAxisOfTheFilters) {
  const ir::Graph graph = sum_of_two();
  const ChannelMap map(graph);
  ScoreOptions options{.criterion = "taylor", .scaling = Scaling::None};
  kit::expect_user_error([&] { (void)score_channels(map, options); },
                         "criterion 'taylor' needs the gradients of 'wa', which are not given");
  for (const std::string_view name : {"wa", "wb"}) {
    options.changes[{graph.find_value(name), 0}] =
        kit::tensor_of({1, 3, 0, 2, name == "wa" ? 1.0F : 3.0F, 1}, {3, 2});
  }
  // (1 + 9) / 2, (0 + 4) / 2, and the mean of (1 + 1) / 2 and (9 + 1) / 2.
  EXPECT_THAT(score_channels(map, options).at(0).scores, ElementsAre(5, 2, 3));
}

TEST(Scores, WeightsMustBeFinite) {
  ir::Graph graph = sum_of_two();
  Tensor broken = graph.find_value("wb")->constant().clone();
  broken[1][0] = std::numeric_limits<float>::infinity();
  graph.set_constant(*graph.find_value("wb"), broken);
  kit::expect_user_error([&] { (void)scores_of(graph, {}); },
                         "cannot score the filters of 'wb': got NaN or infinite weights");
}

TEST(Scores, FiltersOfTransposedLayersLieAlongTheirOwnAxis) {
  ir::Graph graph = prune_test::named_graph_of(
      "g (float[1,2,4,4] x, float[2,3,1,1] w, float[2,3,1,1] v) => (float[1,2,4,4] y)"
      " { t = ConvTranspose(x, w) y = Conv(t, v) }");
  graph.set_constant(*graph.find_value("w"), kit::tensor_of({1, 2, 3, 10, 20, 30}, {2, 3, 1, 1}));
  EXPECT_THAT(scores_of(graph, {.scaling = Scaling::None}), ElementsAre(11, 22, 33));
}

TEST(Scores, NamesAreParsed) {
  EXPECT_EQ(parse_reduction("norm"), Reduction::Norm);
  EXPECT_EQ(parse_scaling("global_mean"), Scaling::GlobalMean);
  kit::expect_user_error([] { (void)parse_reduction("men"); }, "did you mean 'mean'");
  kit::expect_user_error([] { (void)parse_scaling("group_meen"); }, "did you mean 'group_mean'");
}

}  // namespace
}  // namespace espalier::prune
