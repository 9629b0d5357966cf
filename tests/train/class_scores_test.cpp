#include "espalier/train/class_scores.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

TEST(ClassScores, DimensionsOfOneBehindTheClassesGo) {
  const Tensor scores = at::arange(6, at::kFloat).reshape({2, 3});
  EXPECT_THAT(class_scores(scores), kit::HasSameBits(scores));
  EXPECT_THAT(class_scores(scores.reshape({2, 3, 1, 1})), kit::HasSameBits(scores));
  EXPECT_THAT(class_scores(scores.reshape({2, 3, 1})), kit::HasSameBits(scores));
  EXPECT_EQ(class_scores(at::zeros({2, 3, 1, 4})).dim(), 4) << "a map, not scores";
}

TEST(ClassScores, LogarithmsOfProbabilitiesAreLogits) {
  const Tensor logits = kit::random_tensor({3, 5}, 4);
  const Tensor probabilities = logits.softmax(1);
  EXPECT_TRUE(at::allclose(class_logits(probabilities, true).softmax(1), probabilities));
  EXPECT_THAT(class_logits(logits, false), kit::HasSameBits(logits));
  EXPECT_TRUE(class_logits(at::zeros({1, 2}), true).isfinite().all().item<bool>());
}

TEST(ClassScores, ASoftmaxOverClassesGivesProbabilities) {
  const auto gives = [](const std::string& shape, const std::string& node) {
    return gives_probabilities(onnx::parse("agraph (float" + shape + " x) => (float" + shape +
                                           " y) { y = " + node + " (x) }"));
  };
  EXPECT_TRUE(gives("[N, 4]", "Softmax"));
  EXPECT_TRUE(gives("[N, 4, 1, 1]", "Softmax <axis = 1>"));
  EXPECT_FALSE(gives("[N, 4, 1, 1]", "Softmax"));
  EXPECT_FALSE(gives("[N, 4]", "Sigmoid"));
}

}  // namespace
}  // namespace espalier::train
