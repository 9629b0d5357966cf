#include "espalier/train/loss.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

/// Cross entropy by its definition, in double.
double reference(const Tensor& logits, const std::vector<std::int64_t>& labels, double smoothing) {
  const std::vector<double> values = kit::values_of(logits);
  const auto classes = static_cast<std::size_t>(logits.size(1));
  double total = 0;
  int counted = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    if (labels[row] < 0) continue;
    ++counted;
    double sum = 0;
    for (std::size_t index = 0; index < classes; ++index)
      sum += std::exp(values[row * classes + index]);
    for (std::size_t index = 0; index < classes; ++index) {
      const double target = (static_cast<std::int64_t>(index) == labels[row] ? 1 - smoothing : 0) +
                            smoothing / static_cast<double>(classes);
      total -= target * (values[row * classes + index] - std::log(sum));
    }
  }
  return total / counted;
}

TEST(CrossEntropy, EqualsItsDefinition) {
  const Tensor logits = kit::random_tensor({6, 5}, 1, {.low = -3, .high = 3});
  const std::vector<std::int64_t> labels{0, 4, 2, -1, 1, 1};
  const data::Batch batch{.images = {}, .labels = kit::integers_of(labels), .indices = {}};
  for (const double smoothing : {0.0, 0.1}) {
    const LossTerm loss = cross_entropy(smoothing);
    EXPECT_NEAR(loss.function(std::span(&logits, 1), batch).item<double>(),
                reference(logits, labels, smoothing), 1e-5);
  }
  const Tensor half = logits.to(at::kBFloat16);
  EXPECT_NEAR(cross_entropy().function(std::span(&half, 1), batch).item<double>(),
              reference(logits, labels, 0), 0.02);
}

TEST(CrossEntropy, GradientIsProbabilityMinusTarget) {
  const Tensor logits = kit::random_tensor({4, 3}, 2, {.type = at::kDouble}).requires_grad_(true);
  const data::Batch batch{.images = {}, .labels = kit::integers_of({2, 0, 1, 1}), .indices = {}};
  cross_entropy(0.3).function(std::span(&logits, 1), batch).backward();
  Tensor target = at::zeros({4, 3}, at::kDouble).scatter_(1, batch.labels.unsqueeze(1), 0.7) + 0.1;
  EXPECT_THAT(logits.grad(), kit::IsCloseTo((logits.detach().softmax(1) - target) / 4));
}

TEST(CrossEntropy, RefusesBadLabelsAndSmoothing) {
  const Tensor logits = kit::random_tensor({2, 3}, 1);
  const LossTerm loss = cross_entropy();
  const auto run = [&](const data::Batch& batch) {
    (void)loss.function(std::span(&logits, 1), batch);
  };
  kit::expect_user_error(
      [&] {
        run({.images = {}, .labels = kit::integers_of({0, 3}), .indices = {10, 11}});
      },
      "a label is outside the classes of the model: sample 11 of the data set: got 3, expected 0 "
      "to "
      "2");
  kit::expect_user_error(
      [&] {
        run({.images = {}, .labels = kit::integers_of({-1, -1}), .indices = {}});
      },
      "cannot train on a batch without labels");
  kit::expect_user_error([] { (void)cross_entropy(1.0); },
                         "label smoothing: got 1, expected 0 or more and below 1");
  kit::expect_user_error([] { (void)cross_entropy(-0.1); }, "label smoothing: got -0.1");
  const Tensor flat = kit::tensor_of({1, 2});
  kit::expect_user_error(
      [&] {
        (void)loss.function(std::span(&flat, 1),
                            {.images = {}, .labels = kit::integers_of({0, 1}), .indices = {}});
      },
      "cross entropy needs an output [N, classes]: got 1 dimensions");
}

TEST(SoftCrossEntropy, EqualsTheHardOneAtCornersAndEntropyAtItsMinimum) {
  const Tensor logits = kit::random_tensor({3, 4}, 5);
  const Tensor corners = at::zeros({3, 4}).scatter_(1, kit::integers_of({1, 0, 3}, {3, 1}), 1.0);
  EXPECT_NEAR(soft_cross_entropy(logits, corners).item<double>(), reference(logits, {1, 0, 3}, 0),
              1e-5);
  const Tensor own = logits.softmax(1);
  const double entropy = -(own * own.log()).sum().item<double>() / 3;
  EXPECT_NEAR(soft_cross_entropy(logits, own).item<double>(), entropy, 1e-5);
  kit::expect_user_error(
      [&] {
        (void)soft_cross_entropy(logits, kit::tensor_of({1, 2}));
      },
      "soft cross entropy needs two tensors [N, classes]");
}

}  // namespace
}  // namespace espalier::train
