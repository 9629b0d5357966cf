#include "espalier/train/distillation.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

const kit::Draw kDouble{.low = -3, .high = 3, .type = at::kDouble};

std::vector<double> softmax(const std::vector<double>& row, double temperature) {
  double sum = 0;
  std::vector<double> shares;
  for (const double value : row) shares.push_back(std::exp(value / temperature));
  for (const double share : shares) sum += share;
  for (double& share : shares) share /= sum;
  return shares;
}

std::vector<double> row_of(const Tensor& tensor, std::int64_t row) {
  return kit::values_of(tensor[row].contiguous());
}

TEST(Distillation, DivergenceFollowsItsFormula) {
  const Tensor student = kit::random_tensor({3, 5}, 1, kDouble);
  const Tensor teacher = kit::random_tensor({3, 5}, 2, kDouble);
  double expected = 0;
  for (std::int64_t row = 0; row < 3; ++row) {
    const std::vector<double> target = softmax(row_of(teacher, row), 4);
    const std::vector<double> own = softmax(row_of(student, row), 4);
    for (std::size_t index = 0; index < 5; ++index) {
      expected += 16 * target[index] * std::log(target[index] / own[index]) / 3;
    }
  }
  EXPECT_NEAR(soft_label_divergence(student, teacher, 4).item<double>(), expected, 1e-12);
  EXPECT_NEAR(soft_label_divergence(teacher, teacher, 4).item<double>(), 0, 1e-15);
}

TEST(Distillation, DivergenceHasTheGradientOfThePaper) {
  const Tensor student = kit::random_tensor({1, 4}, 1, kDouble).requires_grad_(true);
  const Tensor teacher = kit::random_tensor({1, 4}, 2, kDouble);
  soft_label_divergence(student, teacher, 2).backward();
  const std::vector<double> own = softmax(row_of(student.detach(), 0), 2);
  const std::vector<double> target = softmax(row_of(teacher, 0), 2);
  const std::vector<double> gradient = kit::values_of(student.grad());
  // d/dz = T (q - p)
  for (std::size_t index = 0; index < 4; ++index) {
    EXPECT_NEAR(gradient[index], 2 * (own[index] - target[index]), 1e-12);
  }
}

TEST(Distillation, SoftLabelsUseTwoTemperatures) {
  const Tensor student = kit::random_tensor({2, 3}, 3, kDouble);
  const Tensor teacher = kit::random_tensor({2, 3}, 4, kDouble);
  double expected = 0;
  for (std::int64_t row = 0; row < 2; ++row) {
    const std::vector<double> target = softmax(row_of(teacher, row), 2);
    const std::vector<double> own = softmax(row_of(student, row), 3);
    for (std::size_t index = 0; index < 3; ++index) {
      expected -= target[index] * std::log(own[index]) / 2;
    }
  }
  EXPECT_NEAR(soft_label_loss(student, teacher, {.student = 3, .teacher = 2}).item<double>(),
              expected, 1e-12);
}

TEST(Distillation, LogitsMayHavePositions) {
  const Tensor student = kit::random_tensor({2, 3, 4, 5}, 3, kDouble);
  const Tensor teacher = kit::random_tensor({2, 3, 4, 5}, 4, kDouble);
  const auto flat = [](const Tensor& maps) {
    return maps.permute({0, 2, 3, 1}).reshape({40, 3}).contiguous();
  };
  EXPECT_NEAR(soft_label_divergence(student, teacher, 2).item<double>(),
              soft_label_divergence(flat(student), flat(teacher), 2).item<double>(), 1e-12);
}

TEST(Distillation, FeaturesAreComparedByTheirMeanSquare) {
  EXPECT_DOUBLE_EQ(
      feature_distance(kit::tensor_of({1, 2, 3, 4}), kit::tensor_of({1, 0, 3, 0})).item<double>(),
      (4.0 + 16.0) / 4);
}

TEST(Distillation, FlowsFollowTheirFormula) {
  const Tensor first = kit::random_tensor({2, 3, 4, 5}, 1, kDouble);
  const Tensor second = kit::random_tensor({2, 2, 4, 5}, 2, kDouble);
  // The teacher's maps may be of another size.
  const Tensor other_first = kit::random_tensor({2, 3, 2, 2}, 3, kDouble);
  const Tensor other_second = kit::random_tensor({2, 2, 2, 2}, 4, kDouble);
  const auto flow = [](const Tensor& a, const Tensor& b, std::int64_t n, std::int64_t i,
                       std::int64_t j) {
    double sum = 0;
    for (std::int64_t y = 0; y < a.size(2); ++y) {
      for (std::int64_t x = 0; x < a.size(3); ++x) {
        sum += a[n][i][y][x].item<double>() * b[n][j][y][x].item<double>();
      }
    }
    return sum / static_cast<double>(a.size(2) * a.size(3));
  };
  double expected = 0;
  for (std::int64_t n = 0; n < 2; ++n) {
    for (std::int64_t i = 0; i < 3; ++i) {
      for (std::int64_t j = 0; j < 2; ++j) {
        const double gap = flow(first, second, n, i, j) - flow(other_first, other_second, n, i, j);
        expected += gap * gap / 12;
      }
    }
  }
  EXPECT_NEAR(flow_distance({.first = first, .second = second},
                            {.first = other_first, .second = other_second})
                  .item<double>(),
              expected, 1e-12);
}

TEST(Distillation, RefusesShapesThatDoNotFit) {
  const Tensor three = kit::random_tensor({2, 3}, 1);
  const Tensor four = kit::random_tensor({2, 4}, 1);
  kit::expect_user_error([&] { (void)soft_label_divergence(three, four, 1); },
                         "cannot compare the outputs of student and teacher: got shapes [2, 3] and "
                         "[2, 4], expected equal shapes");
  kit::expect_user_error([&] { (void)soft_label_loss(three, four, {}); }, "the outputs");
  kit::expect_user_error([&] { (void)feature_distance(three, four); }, "features");
  kit::expect_user_error(
      [] { (void)soft_label_loss(kit::tensor_of({1}), kit::tensor_of({1}), {}); },
      "got 1 dimensions, expected [N, classes, ...]");
  const Tensor map = kit::random_tensor({2, 3, 4, 4}, 1);
  const Tensor small = kit::random_tensor({2, 3, 2, 2}, 1);
  const Tensor wide = kit::random_tensor({2, 5, 2, 2}, 1);
  kit::expect_user_error(
      [&] { (void)flow_distance({.first = map, .second = small}, {.first = map, .second = map}); },
      "the flow between two feature maps needs equal sizes: got shapes [2, 3, 4, 4]");
  kit::expect_user_error(
      [&] { (void)flow_distance({.first = map, .second = map}, {.first = small, .second = wide}); },
      "flows of student and teacher: got shapes [2, 3, 3] and [2, 3, 5]");
}

}  // namespace
}  // namespace espalier::train
