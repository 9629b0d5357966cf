#include "espalier/recipe/sensitivity_ratios.h"

#include <cmath>

#include <gtest/gtest.h>

#include "espalier/analysis/model_id.h"
#include "espalier/passes/pipelines.h"
#include "espalier/recipe/sensitivity_trials.h"
#include "espalier/train/model_file.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

using kit::expect_user_error;

SensitivityPoint point(std::string group, std::int64_t removed, double loss) {
  return {.group = std::move(group),
          .ratio = static_cast<double>(removed) / 10,
          .channels = 10,
          .removed = removed,
          .loss = loss,
          .images = 100};
}

TEST(SensitivityRatios, InterpolateTheToleratedLoss) {
  const SensitivityStore store{.header = {.criterion = "l1", .metric = "top1", .images = 100},
                               .points = {point("flat", 5, 0.5), point("flat", 9, 1),
                                          point("steep", 1, 4), point("steep", 2, 8)}};
  const SensitivityRatios ratios = ratios_for_loss(store, 1);
  ASSERT_EQ(ratios.groups.size(), 2U);
  EXPECT_EQ(ratios.groups[0].group, "flat");
  EXPECT_DOUBLE_EQ(ratios.groups[0].ratio, 0.9) << "not beyond what was measured";
  EXPECT_DOUBLE_EQ(ratios.groups[1].ratio, 0.025) << "a quarter of the way from nothing";
  EXPECT_EQ(to_json(ratios).at("ratios").at("steep").as_number(), ratios.groups[1].ratio);
  EXPECT_NE(to_text(ratios).find("0.025"), std::string::npos);
}

TEST(SensitivityRatios, RefuseBadInput) {
  const SensitivityStore empty{.header = {.model = "net"}};
  expect_user_error([&] { (void)ratios_for_loss(empty, 1); },
                    "the file of sensitivities of 'net' holds no points yet");
  const SensitivityStore store{.points = {point("a", 5, 1)}};
  expect_user_error([&] { (void)ratios_for_loss(store, -1); },
                    "tolerated loss: got -1, expected a number of at least 0");
  expect_user_error([&] { (void)ratios_for_loss(store, std::nan("")); }, "tolerated loss");
}

TEST(SensitivityRatios, BringTheModelToAShareOfItsMacs) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path model = write_small_model(folder.path());
  ir::Graph graph = train::load_model(model);
  passes::run(graph, passes::prepare_for_pruning(), {});
  SensitivityStore store{.header = {.model_id = analysis::model_id(graph),
                                    .criterion = "l1",
                                    .metric = "top1",
                                    .images = 100}};
  double slope = 1;
  for (const GroupTrials& group : plan_trials(graph, {}).groups) {
    for (const Trial& trial : group.trials) {
      store.points.push_back({.group = group.group,
                              .ratio = trial.ratio,
                              .channels = group.channels,
                              .removed = trial.removed,
                              .loss = slope * trial.ratio,
                              .images = 100});
    }
    slope *= 4;
  }
  const SensitivityRatios ratios = ratios_for_cost(store, {.model = model, .remaining = 0.5});
  EXPECT_TRUE(ratios.reached);
  EXPECT_LE(ratios.remaining, 0.5);
  EXPECT_GT(ratios.remaining, 0.4);
  ASSERT_GE(ratios.groups.size(), 2U);
  EXPECT_GT(ratios.groups.front().ratio, ratios.groups.back().ratio) << "the flatter gives more";
  const SensitivityRatios less = ratios_for_cost(store, {.model = model, .remaining = 0.01});
  EXPECT_FALSE(less.reached);
  EXPECT_NE(less.reason.find("asked to keep at most 1.0 %"), std::string::npos);
  store.header.model_id = "0000000000000000";
  store.header.model = "other";
  expect_user_error([&] { (void)ratios_for_cost(store, {.model = model}); },
                    "the sensitivities belong to another model: the file of sensitivities: got "
                    "'other' (0000000000000000)");
}

}  // namespace
}  // namespace espalier::recipe
