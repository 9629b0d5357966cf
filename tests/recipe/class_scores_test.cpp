#include "espalier/recipe/class_scores.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/kit/tensors.h"

namespace espalier::recipe {
namespace {

TEST(ClassScores, DimensionsOfOneBehindTheClassesGo) {
  const Tensor scores = at::arange(6, at::kFloat).reshape({2, 3});
  EXPECT_THAT(class_scores(scores), kit::HasSameBits(scores));
  EXPECT_THAT(class_scores(scores.reshape({2, 3, 1, 1})), kit::HasSameBits(scores));
  EXPECT_THAT(class_scores(scores.reshape({2, 3, 1})), kit::HasSameBits(scores));
  EXPECT_EQ(class_scores(at::zeros({2, 3, 1, 4})).dim(), 4) << "a map, not scores";
}

}  // namespace
}  // namespace espalier::recipe
