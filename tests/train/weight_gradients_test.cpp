#include "espalier/train/weight_gradients.h"

#include <cmath>
#include <memory>

#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

/// logits = W x, so that the gradient of an image's loss is (softmax(W x) - onehot) x^T.
ir::Graph linear_model() {
  ir::Graph graph = onnx::parse(
      "g (float[N,2] x, float[3,2] w) => (float[N,3] y)"
      " { y = Gemm<transB=1>(x, w) }");
  ir::Value& input = *graph.inputs()[1];
  graph.rename(input, "unused");
  graph.replace_all_uses(
      input,
      graph.add_initializer("w", kit::tensor_of({0.1F, 0.4F, -0.3F, 0.2F, 0.5F, -0.6F}, {3, 2})));
  graph.erase(input);
  return graph;
}

const std::vector<std::vector<float>> kImages{{1, 2}, {-1, 0.5F}, {0.3F, -2}};
const std::vector<std::int64_t> kLabels{2, 0, 1};

NextLabelled batches_of_two(const std::vector<std::int64_t>& labels) {
  auto first = std::make_shared<std::size_t>(0);
  return [labels, first]() -> std::optional<data::Batch> {
    if (*first >= kImages.size()) return std::nullopt;
    std::vector<float> pixels;
    std::vector<std::int64_t> part;
    for (; part.size() < 2 && *first < kImages.size(); ++*first) {
      pixels.insert(pixels.end(), kImages[*first].begin(), kImages[*first].end());
      part.push_back(labels[*first]);
    }
    return data::Batch{
        .images = kit::tensor_of(pixels, {-1, 2}), .labels = kit::integers_of(part), .indices = {}};
  };
}

/// Gradient of one image's loss by hand, [3][2] in row-major order.
std::vector<double> gradient_of(std::size_t image) {
  const std::vector<double> w{0.1F, 0.4F, -0.3F, 0.2F, 0.5F, -0.6F};
  std::vector<double> exponentials(3);
  double total = 0;
  for (std::size_t row = 0; row < 3; ++row) {
    exponentials[row] =
        std::exp(w[2 * row] * kImages[image][0] + w[2 * row + 1] * kImages[image][1]);
    total += exponentials[row];
  }
  std::vector<double> gradient(6);
  for (std::size_t row = 0; row < 3; ++row) {
    const bool right = static_cast<std::int64_t>(row) == kLabels[image];
    const double delta = exponentials[row] / total - (right ? 1 : 0);
    for (std::size_t column = 0; column < 2; ++column) {
      gradient[2 * row + column] = delta * kImages[image][column];
    }
  }
  return gradient;
}

TEST(WeightGradients, AreTheMeansOfAsManyImagesAsAskedFor) {
  std::vector<std::vector<double>> seen;
  visit_weight_gradients(
      linear_model(), batches_of_two(kLabels), 2,
      [&](const exec::TensorMap& gradients) { seen.push_back(kit::values_of(gradients.at("w"))); });
  ASSERT_EQ(seen.size(), 2U) << "a batch of two, and one of what is left";
  for (std::size_t index = 0; index < 6; ++index) {
    EXPECT_NEAR(seen[0][index], (gradient_of(0)[index] + gradient_of(1)[index]) / 2, 1e-6);
    EXPECT_NEAR(seen[1][index], gradient_of(2)[index], 1e-6);
  }
}

TEST(WeightGradients, SquareEachImagesGradientBeforeTheMean) {
  const exec::TensorMap squares = mean_squared_gradients(linear_model(), batches_of_two(kLabels));
  ASSERT_EQ(squares.size(), 1U);
  const std::vector<double> actual = kit::values_of(squares.at("w"));
  for (std::size_t index = 0; index < actual.size(); ++index) {
    double expected = 0;
    for (std::size_t image = 0; image < 3; ++image) {
      expected += std::pow(gradient_of(image)[index], 2) / 3;
    }
    EXPECT_NEAR(actual[index], expected, 1e-6) << index;
  }
}

TEST(WeightGradients, RefuseImagesWithoutLabelsAndNoImages) {
  kit::expect_user_error(
      [] {
        (void)mean_squared_gradients(linear_model(), batches_of_two({2, -1, 1}));
      },
      "got images without labels, expected a label for every image");
  kit::expect_user_error(
      [] { (void)mean_squared_gradients(linear_model(), [] { return std::nullopt; }); },
      "there are no images");
}

}  // namespace
}  // namespace espalier::train
