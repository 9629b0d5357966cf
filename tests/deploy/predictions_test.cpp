#include "espalier/deploy/predictions.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "tests/kit/tensors.h"

namespace espalier::deploy {
namespace {

using kit::integers_of;
using kit::tensor_of;

TEST(OutputKindOf, FollowsTypeAndRank) {
  EXPECT_EQ(output_kind(tensor_of({1, 2, 3, 4}, {2, 2})), OutputKind::Scores);
  EXPECT_EQ(output_kind(tensor_of({1, 2, 3, 4}, {1, 2, 1, 2})), OutputKind::DenseScores);
  EXPECT_EQ(output_kind(tensor_of({1, 2}, {2, 1})), OutputKind::Values);
  EXPECT_EQ(output_kind(tensor_of({1, 2}, {2})), OutputKind::Values);
  EXPECT_EQ(output_kind(integers_of({1, 2}, {1, 2})), OutputKind::Labels);
}

TEST(AgreementOf, CountsEqualClassesOverBatches) {
  Agreement agreement;
  EXPECT_FALSE(agreement.share().has_value());
  agreement.add(tensor_of({1, 2, 4, 3}, {2, 2}), tensor_of({0, 9, 1, 2}, {2, 2}),
                OutputKind::Scores);
  agreement.add(tensor_of({1, 2, 4, 3}, {2, 2}), tensor_of({0, 9, 2, 1}, {2, 2}),
                OutputKind::Scores);
  EXPECT_DOUBLE_EQ(*agreement.share(), 0.75);
}

TEST(AgreementOf, CountsPixelsOfDenseScores) {
  Agreement agreement;
  // Class 1 wins at the first pixel of both, at the second pixel of the left only.
  agreement.add(tensor_of({0, 0, 1, 1}, {1, 2, 1, 2}), tensor_of({0, 5, 1, 1}, {1, 2, 1, 2}),
                OutputKind::DenseScores);
  EXPECT_DOUBLE_EQ(*agreement.share(), 0.5);
}

TEST(AgreementOf, CountsLabels) {
  Agreement agreement;
  agreement.add(integers_of({1, 2, 3, 4}), integers_of({1, 2, 3, 5}), OutputKind::Labels);
  EXPECT_DOUBLE_EQ(*agreement.share(), 0.75);
}

TEST(AccuracyOf, LeavesUnknownLabelsOut) {
  Accuracy accuracy;
  accuracy.add(tensor_of({1, 2, 4, 3, 5, 6}, {3, 2}), integers_of({1, 1, -1}), OutputKind::Scores);
  EXPECT_DOUBLE_EQ(accuracy.percent().at("top1"), 50);
  EXPECT_FALSE(accuracy.percent().contains("top5"));
}

TEST(AccuracyOf, CountsTopFiveFromSixClasses) {
  Accuracy accuracy;
  const Tensor scores = tensor_of({6, 5, 4, 3, 2, 1, 6, 5, 4, 3, 2, 1}, {2, 6});
  accuracy.add(scores, integers_of({4, 5}), OutputKind::Scores);
  EXPECT_DOUBLE_EQ(accuracy.percent().at("top1"), 0);
  EXPECT_DOUBLE_EQ(accuracy.percent().at("top5"), 50);
}

TEST(AccuracyOf, CountsPixels) {
  Accuracy accuracy;
  accuracy.add(tensor_of({0, 0, 1, 1}, {1, 2, 1, 2}), integers_of({1, 0}, {1, 1, 2}),
               OutputKind::DenseScores);
  EXPECT_DOUBLE_EQ(accuracy.percent().at("pixel_accuracy"), 50);
}

TEST(AccuracyOf, IgnoresLabelsOfAnotherShape) {
  Accuracy accuracy;
  accuracy.add(tensor_of({0, 0, 1, 1}, {1, 2, 1, 2}), integers_of({1}), OutputKind::DenseScores);
  EXPECT_TRUE(accuracy.percent().empty());
}

TEST(SignalToNoiseOf, IsTheRatioOfPowers) {
  SignalToNoise noise;
  EXPECT_FALSE(noise.decibel().has_value());
  const std::vector<Tensor> reference = {tensor_of({3, 4})};
  const std::vector<Tensor> test = {tensor_of({3, 4.5})};
  noise.add(reference, test);
  EXPECT_NEAR(*noise.decibel(), 10 * std::log10(25 / 0.25), 1e-9);
}

TEST(SignalToNoiseOf, IsCappedWithoutDifference) {
  SignalToNoise noise;
  const std::vector<Tensor> same = {tensor_of({1, 2})};
  noise.add(same, same);
  EXPECT_EQ(*noise.decibel(), 200);
}

TEST(CountNotFinite, FindsNanAndInfinity) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<Tensor> outputs = {tensor_of({1, nan, infinity}), integers_of({1})};
  EXPECT_EQ(count_not_finite(outputs), 2);
}

}  // namespace
}  // namespace espalier::deploy
