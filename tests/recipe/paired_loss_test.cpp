#include "espalier/recipe/paired_loss.h"

#include <cmath>
#include <limits>
#include <numeric>

#include <ATen/ops/full_like.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/train/distillation.h"
#include "espalier/train/metric.h"

namespace espalier::recipe {
namespace {

using testing::ElementsAre;

TEST(JudgeTop1, TakesTheFirstOfEqualScores) {
  const Tensor scores =
      at::tensor({1.0F, 3.0F, 3.0F, 3.0F, 1.0F, 3.0F, 0.0F, 1.0F, 2.0F}).reshape({3, 3});
  EXPECT_THAT(judge_top1(scores, at::tensor({1, 2, -1}, at::kLong)), ElementsAre(1, 0, -1));
}

TEST(JudgeTop1, CountsAsTheMetricDoes) {
  const Tensor scores = at::randn({200, 7});
  const Tensor labels = at::randint(7, {200}, at::kLong);
  const auto judged = judge_top1(scores, labels);
  EXPECT_EQ(std::accumulate(judged.begin(), judged.end(), 0),
            train::count_top_k(scores, labels, 1));
}

TEST(JudgeTop1, TakesNoScoresThatAreNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor scores = at::tensor({nan, 1.0F, 1.0F, INFINITY}).reshape({2, 2});
  EXPECT_THAT(judge_top1(scores, at::tensor({0, 1}, at::kLong)), ElementsAre(0, 0));
}

struct Shape {
  std::string name;
  std::vector<std::int64_t> sizes;
};

class Divergences : public testing::TestWithParam<Shape> {};

TEST_P(Divergences, AverageToTheLossOfDistillation) {
  const Tensor outputs = at::randn(GetParam().sizes) * 5;
  const Tensor reference = at::randn(GetParam().sizes) * 5;
  const auto values = divergences(outputs, reference);
  ASSERT_EQ(values.size(), static_cast<std::size_t>(GetParam().sizes[0]));
  const double mean =
      std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  const double expected =
      train::soft_label_divergence(outputs.to(at::kDouble), reference.to(at::kDouble),
                                   kDivergenceTemperature)
          .item<double>();
  EXPECT_NEAR(mean, expected, 1e-9 * expected);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Divergences,
                         testing::Values(Shape{"Scores", {6, 10}}, Shape{"Maps", {3, 5, 4, 7}}),
                         [](const auto& info) { return info.param.name; });

TEST(Divergence, IsNothingForEqualOutputsAndBoundedForBrokenOnes) {
  const Tensor reference = at::randn({2, 4});
  EXPECT_THAT(divergences(reference, reference), ElementsAre(0, 0));
  EXPECT_THAT(divergences(at::full_like(reference, NAN), reference),
              ElementsAre(kLargestDivergence, kLargestDivergence));
}

TEST(PairedMean, HasMeanAndIntervalOfTheTextbook) {
  PairedMean mean;
  double sum = 0;
  const std::vector<double> values{100, 0, 0, -100, 100, 0, 0, 0, 0, 100};
  for (const double value : values) {
    mean.add(value);
    sum += value;
  }
  const double expected = sum / 10;
  double squares = 0;
  for (const double value : values) squares += (value - expected) * (value - expected);
  EXPECT_DOUBLE_EQ(mean.mean(), expected);
  EXPECT_NEAR(mean.half_width(1.96), 1.96 * std::sqrt(squares / 9 / 10), 1e-9);
  EXPECT_EQ(PairedMean().half_width(2), 0);
}

TEST(Looks, DoubleUpToTheNumberOfImages) {
  EXPECT_THAT(looks(2000), ElementsAre(100, 200, 400, 800, 1600));
  EXPECT_THAT(looks(100), ElementsAre()) << "all images are no look in between";
  EXPECT_THAT(looks(101), ElementsAre(100));
}

TEST(Looks, ShareTheErrorBetweenThem) {
  EXPECT_NEAR(quantile_over(1), kQuantile95, 1e-9);
  EXPECT_NEAR(quantile_over(5), 2.5758293035489, 1e-9) << "99.5 % of the normal distribution";
}

}  // namespace
}  // namespace espalier::recipe
