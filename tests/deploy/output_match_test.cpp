#include "espalier/deploy/output_match.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"

namespace espalier::deploy {
namespace {

using Outputs = std::vector<Tensor>;

TEST(OutputMatch, TakesTheWorstOutputThatHoldsClasses) {
  const Tensor scores = at::tensor({1.0F, 0.0F, 0.0F, 1.0F}).reshape({2, 2});
  const Tensor half = at::tensor({1.0F, 0.0F, 1.0F, 0.0F}).reshape({2, 2});
  OutputMatch match;
  match.add(Outputs{scores, scores}, Outputs{scores, half});
  match.add(Outputs{scores, scores}, Outputs{scores, scores});
  EXPECT_EQ(match.agreement(), 0.75);
  EXPECT_EQ(match.different(), 1);
  EXPECT_EQ(match.value_decibel(), std::nullopt);
}

TEST(OutputMatch, TakesTheWorstOutputOfPlainValues) {
  const Tensor values = at::full({4, 1}, 10.0F);
  OutputMatch match;
  match.add(Outputs{values, values}, Outputs{values + 0.1F, values + 1.0F});
  EXPECT_EQ(match.agreement(), std::nullopt);
  ASSERT_TRUE(match.value_decibel().has_value());
  EXPECT_NEAR(*match.value_decibel(), 20, 1e-4) << "10 log10(100 / 1)";
}

TEST(OutputMatch, ReadsImagesAsValuesOnRequest) {
  const Tensor images = at::tensor({3.0F, 1.0F, 1.0F, 3.0F, 2.0F, 2.0F}).reshape({1, 3, 1, 2});
  const Tensor noisy = images + 0.3F * at::tensor({1.0F, -1.0F}).reshape({1, 1, 1, 2});
  OutputMatch by_shape;
  by_shape.add(Outputs{images}, Outputs{noisy});
  EXPECT_EQ(by_shape.agreement(), 1) << "three classes of two pixels";
  OutputMatch values(OutputMeaning::Values);
  values.add(Outputs{images}, Outputs{noisy});
  EXPECT_EQ(values.agreement(), std::nullopt);
  ASSERT_TRUE(values.value_decibel().has_value());
  EXPECT_NEAR(*values.value_decibel(), 10 * std::log10(28 / 0.54), 1e-4);
}

TEST(OutputMatch, ComparesNothingWithoutElementsOrFiniteValues) {
  EXPECT_EQ(OutputMatch().agreement(), std::nullopt);
  OutputMatch empty;
  empty.add(Outputs{at::zeros({0, 1})}, Outputs{at::zeros({0, 1})});
  EXPECT_EQ(empty.value_decibel(), std::nullopt);
  OutputMatch broken;
  broken.add(Outputs{at::ones({2, 1})}, Outputs{at::ones({2, 1}) / 0.0F * 0.0F});
  EXPECT_EQ(broken.value_decibel(), std::nullopt);
}

TEST(OutputMatch, RefusesOutputsOfOtherForms) {
  const Tensor ten = at::zeros({2, 10});
  OutputMatch match;
  kit::expect_user_error([&] { match.add(Outputs{ten}, Outputs{}); }, "got 0 outputs, expected 1");
  kit::expect_user_error(
      [&] {
        match.add(Outputs{ten}, Outputs{at::zeros({2, 9})});
      },
      "output 0 cannot be compared: got float [2, 9], expected float [2, 10]");
  kit::expect_user_error([&] { match.add(Outputs{ten}, Outputs{ten.to(at::kLong)}); }, "got long");
}

}  // namespace
}  // namespace espalier::deploy
