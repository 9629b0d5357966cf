#include "espalier/passes/bias_codes.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::passes {
namespace {

TEST(BiasCodes, ScaleIsTheFloatProduct) {
  const Tensor scale = bias_scale(kit::tensor_of({0.1F}), kit::tensor_of({0.3F, 0.7F}), 2);
  EXPECT_THAT(scale, kit::HasSameBits(kit::tensor_of({0.1F * 0.3F, 0.1F * 0.7F})));
  EXPECT_EQ(bias_scale(kit::tensor_of({0.1F}), kit::tensor_of({0.3F}), 5).numel(), 1);
}

TEST(BiasCodes, ScaleRepeatsForTheGroupsOfATransposedConv) {
  const Tensor scale = bias_scale(kit::tensor_of({1.0F}), kit::tensor_of({0.5F, 0.25F}), 4);
  EXPECT_THAT(scale, kit::HasSameBits(kit::tensor_of({0.5F, 0.25F, 0.5F, 0.25F})));
  kit::expect_internal_error(
      [] {
        (void)bias_scale(kit::tensor_of({1.0F}), kit::tensor_of({1, 2}), 3);
      },
      "2 bias scales for 3 output channels");
}

TEST(BiasCodes, RoundsHalfToEvenAndClamps) {
  const Tensor codes =
      bias_codes(kit::tensor_of({0.25F, 0.75F, -0.25F, 1e30F, -1e30F}), kit::tensor_of({0.5F}));
  EXPECT_EQ(kit::values_of(codes), (std::vector<double>{0, 2, 0, 2147483520, -2147483520}));
  EXPECT_EQ(codes.scalar_type(), at::kInt);
}

TEST(BiasCodes, RoundedValuesGiveTheirCodesAgain) {
  const Tensor scale = kit::random_tensor({4096}, 1, {.low = 1e-7, .high = 1e-2});
  for (const double size : {1e-3, 1.0, 3e2, 1e5, 1e7}) {
    const Tensor bias = kit::random_tensor({4096}, 2, {.low = -size, .high = size});
    const Tensor codes = bias_codes(bias, scale);
    const Tensor values = bias_values(codes, scale);
    EXPECT_THAT(bias_values(bias_codes(values, scale), scale), kit::HasSameBits(values)) << size;
  }
}

TEST(BiasCodes, StaysWithinHalfAStep) {
  const Tensor scale = kit::tensor_of({0.003F});
  const Tensor bias = kit::random_tensor({1000}, 3, {.low = -20, .high = 20});
  const Tensor error = (bias_values(bias_codes(bias, scale), scale) - bias).abs();
  EXPECT_LE(error.max().item<float>(), 0.0015001F);
}

}  // namespace
}  // namespace espalier::passes
