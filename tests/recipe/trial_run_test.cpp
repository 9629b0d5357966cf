#include "espalier/recipe/trial_run.h"

#include <cmath>

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "espalier/recipe/safe_images.h"

namespace espalier::recipe {
namespace {

/// 400 images of two classes in batches of 20, each right; the lead grows from 0.1 to 40.
UnprunedResults results(bool leaves_out) {
  UnprunedResults unpruned{.batch_size = 20, .images = 400};
  Tensor scores = at::zeros({400, 2});
  Tensor labels = at::zeros({400}, at::kLong);
  for (std::int64_t image = 0; image < 400; ++image) {
    scores[image][image % 2] = 0.1 * static_cast<double>(image + 1);
    labels[image] = image % 2;
  }
  for (std::int64_t first = 0; first < 400; first += 20) {
    unpruned.outputs.push_back(scores.narrow(0, first, 20));
  }
  unpruned.labels = labels;
  unpruned.correct.assign(400, 1);
  if (!leaves_out) return unpruned;
  unpruned.scores = scores;
  unpruned.classes = best_classes(scores);
  unpruned.leads = class_leads(scores, unpruned.classes);
  return unpruned;
}

ImageUnit unit_of(std::size_t first, std::size_t last) {
  ImageUnit unit;
  for (std::size_t image = first; image < last; ++image) unit.images.push_back(image);
  return unit;
}

/// What a cut network says that takes `lost` from the lead of the images.
Tensor after(const ImageUnit& unit, double lost) {
  Tensor scores = at::zeros({static_cast<std::int64_t>(unit.images.size()), 2});
  for (std::size_t index = 0; index < unit.images.size(); ++index) {
    const std::size_t image = unit.images[index];
    scores[static_cast<std::int64_t>(index)][static_cast<std::int64_t>(image % 2)] =
        0.1 * static_cast<double>(image + 1) - lost;
  }
  return scores;
}

TEST(TrialRun, CountsWhatHasRunAndLeavesTheRestOpen) {
  const UnprunedResults unpruned = results(false);
  TrialRun run(unpruned);
  EXPECT_TRUE(run.wants(0));
  EXPECT_EQ(run.loss(400).count(), 0);
  const ImageUnit unit = unit_of(0, 100);
  run.record(unit, after(unit, 2.05));  // the first 20 change their class
  EXPECT_FALSE(run.wants(99));
  EXPECT_TRUE(run.wants(100));
  EXPECT_EQ(run.num_ran(), 100);
  EXPECT_EQ(run.loss(100).count(), 100);
  EXPECT_DOUBLE_EQ(run.loss(100).mean(), 20);
  EXPECT_EQ(run.loss(200).count(), 100) << "images that are still wanted do not count";
  EXPECT_DOUBLE_EQ(run.loss(10).mean(), 100);
  EXPECT_EQ(run.num_correct(200), 80);
  EXPECT_DOUBLE_EQ(run.mean_divergence(400), run.mean_divergence(100));
}

TEST(TrialRun, CountsImagesThatAreLeftOutAsUnchanged) {
  const UnprunedResults unpruned = results(true);
  TrialRun run(unpruned);
  const ImageUnit unit = unit_of(0, 200);
  run.record(unit, after(unit, 2.05));
  EXPECT_TRUE(run.wants(200));
  EXPECT_FALSE(run.leave_out_safe(200)) << "every other image leads by more than is lost";
  EXPECT_FALSE(run.wants(200));
  EXPECT_EQ(run.num_ran(), 200);
  EXPECT_EQ(run.loss(400).count(), 400);
  EXPECT_DOUBLE_EQ(run.loss(400).mean(), 5);
  EXPECT_EQ(run.num_correct(400), 380);
  // None that ran leads as far as those that were left out: they count as the mean of all that ran.
  EXPECT_NEAR(run.mean_divergence(400), run.mean_divergence(200), 1e-12);
}

TEST(TrialRun, TakesDivergenceFromImagesThatLeadAsFar) {
  const UnprunedResults unpruned = results(true);
  TrialRun run(unpruned);
  const ImageUnit low = unit_of(0, 150);
  const ImageUnit high = unit_of(330, 400);
  run.record(low, after(low, 0));
  run.record(high, after(high, 2.05));
  EXPECT_GT(run.mean_divergence(400), 0);
  (void)run.leave_out_safe(0);
  ASSERT_FALSE(run.wants(200));
  const double ran = run.mean_divergence(400);
  TrialRun all(unpruned);
  const ImageUnit rest = unit_of(150, 330);
  all.record(low, after(low, 0));
  all.record(high, after(high, 2.05));
  const double of_high = all.mean_divergence(400) * 220 / 70;  // the low ones have none
  EXPECT_NEAR(ran, (of_high * 70 + of_high * 180) / 400, 1e-9);
}

TEST(TrialRun, WantsAgainWhatIsNoLongerSafe) {
  const UnprunedResults unpruned = results(true);
  TrialRun run(unpruned);
  const ImageUnit same = unit_of(0, 200);
  run.record(same, after(same, 0));
  EXPECT_FALSE(run.leave_out_safe(200)) << "nothing has changed so far";
  const ImageUnit worse = unit_of(200, 220);
  run.record(worse, after(worse, 20));
  EXPECT_TRUE(run.leave_out_safe(0));
  EXPECT_TRUE(run.wants(220));
  EXPECT_FALSE(run.wants(200)) << "it has run";
  EXPECT_FALSE(run.wants(399)) << "it leads by 40";
}

TEST(TrialRun, JudgesDivergenceWithoutLabels) {
  UnprunedResults unpruned = results(false);
  unpruned.labels = Tensor();
  unpruned.correct.clear();
  TrialRun run(unpruned);
  const ImageUnit unit = unit_of(20, 60);
  run.record(unit, after(unit, 1));
  EXPECT_EQ(run.loss(60).count(), 40);
  EXPECT_DOUBLE_EQ(run.loss(60).mean(), run.mean_divergence(60));
  EXPECT_EQ(run.num_correct(60), 0);
}

}  // namespace
}  // namespace espalier::recipe
