#include "espalier/recipe/sensitivity_trials.h"

#include <algorithm>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "espalier/onnx/text.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

using kit::expect_user_error;

ir::Graph unpruned(std::string_view family) {
  ir::Graph graph = zoo::build(family, {.classes = 5, .seed = 7});
  onnx::infer_shapes(graph);
  return graph;
}

TEST(SensitivityTrials, CoverEveryGroupAtEveryRatio) {
  const ir::Graph graph = unpruned("ResNet20");
  const TrialPlan plan = plan_trials(graph, {.ratios = {0.9, 0.1, 0.5}});
  ASSERT_EQ(plan.groups.size(), 12U) << "9 inner layers, 3 residual sums";
  EXPECT_EQ(plan.untouched.size(), 1U) << "the classes";
  for (const GroupTrials& group : plan.groups) {
    ASSERT_EQ(group.trials.size(), 3U);
    EXPECT_EQ(group.trials[0].ratio, 0.1);
    EXPECT_EQ(group.trials[1].removed, group.channels / 2);
    EXPECT_EQ(group.plans[1].cuts.at(0).removed.size(),
              static_cast<std::size_t>(group.channels / 2));
    EXPECT_TRUE(group.changes_output);
    EXPECT_FALSE(group.frontier.empty());
  }
  EXPECT_EQ(plan.groups[0].frontier, std::vector<std::string>{graph.inputs()[0]->name()});
}

TEST(SensitivityTrials, RemoveTheNearestNumberWhateverElseIsTried) {
  const ir::Graph graph = unpruned("FashionCNN");
  const TrialPlan one = plan_trials(graph, {.ratios = {0.3}});
  const TrialPlan two = plan_trials(graph, {.ratios = {0.3, 0.99}});
  for (std::size_t index = 0; index < one.groups.size(); ++index) {
    const GroupTrials& group = one.groups[index];
    EXPECT_EQ(group.trials[0].removed, std::lround(0.3 * static_cast<double>(group.channels)));
    EXPECT_EQ(group.plans[0], two.groups[index].plans[0]);
    const long most = std::lround(0.99 * static_cast<double>(group.channels));
    EXPECT_EQ(two.groups[index].trials[1].removed, std::min(most, group.channels - 1));
  }
}

TEST(SensitivityTrials, ChooseGroupsByName) {
  const ir::Graph graph = unpruned("ResNet20");
  const std::string name = plan_trials(graph, {}).groups[4].group;
  const TrialPlan plan = plan_trials(graph, {.ratios = {0.5}, .groups = {name}});
  ASSERT_EQ(plan.groups.size(), 1U);
  EXPECT_EQ(plan.groups[0].group, name);
  expect_user_error(
      [&] { (void)plan_trials(graph, {.groups = {name + "x"}}); },
      "a pattern of channel groups matches nothing: got '" + name + "x' (did you mean '" + name);
}

TEST(SensitivityTrials, RefuseBadRatios) {
  const ir::Graph graph = unpruned("FashionCNN");
  expect_user_error(
      [&] {
        (void)plan_trials(graph, {.ratios = {0.5, 1}});
      },
      "ratio of channels to remove: got 1, expected [0, 1)");
  expect_user_error([&] { (void)plan_trials(graph, {.ratios = {-0.1}}); }, "got -0.1");
  expect_user_error(
      [&] {
        (void)plan_trials(graph, {.ratios = {0.5, 0.2, 0.5}});
      },
      "got 0.5 twice");
  expect_user_error([&] { (void)plan_trials(graph, {.ratios = {}}); }, "no ratios to try");
}

TEST(SensitivityTrials, RefuseAGraphOfWhichNothingCanBeCut) {
  ir::Graph graph = onnx::parse(R"(agraph (float[N, 1, 8, 8] x) => (float[N, 2, 8, 8] y)
    <float[2, 1, 1, 1] w = {1, 2}> { y = Conv (x, w) })");
  onnx::infer_shapes(graph);
  expect_user_error([&] { (void)plan_trials(graph, {}); }, "can be cut: got '");
}

}  // namespace
}  // namespace espalier::recipe
