#include "espalier/exec/kernels/composed_quantizer.h"

#include <ATen/ops/full_like.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

TEST(ComposedQuantizer, SortsElementsBeforeTheyAreRounded) {
  // Codes 0..3 of step 1: 3.4 is beyond the last one although it rounds to it.
  const std::vector<simd::QuantizerForm> forms{{.scale = 1, .zero = 0, .low = 0, .high = 3}};
  const Tensor input = at::tensor({-0.4, 0.0, 1.25, 3.0, 3.4, 7.0}, at::kDouble);
  EXPECT_EQ(kit::values_of(quantize_composed(input, forms, -1)),
            (std::vector<double>{0, 0, 1, 3, 3, 3}));
  const ComposedGradient gradient =
      differentiate_composed(at::full_like(input, 2.0), input, forms, -1);
  EXPECT_EQ(kit::values_of(gradient.input), (std::vector<double>{0, 2, 2, 2, 0, 0}));
  ASSERT_EQ(gradient.sums.size(), 1U);
  EXPECT_EQ(gradient.sums[0].below, 2);
  EXPECT_EQ(gradient.sums[0].above, 4);
  EXPECT_EQ(gradient.sums[0].rounding, 2 * (1 - 1.25));
}

TEST(ComposedQuantizer, HasAFormForEachChannel) {
  const std::vector<simd::QuantizerForm> forms{{.scale = 1, .zero = 0, .low = -1, .high = 1},
                                               {.scale = 0.5, .zero = 0, .low = -1, .high = 1}};
  const Tensor input = at::tensor({0.8, 0.8, -0.8, -0.8}, at::kDouble).reshape({2, 2});
  EXPECT_EQ(kit::values_of(quantize_composed(input, forms, 1)),
            (std::vector<double>{1, 0.5, -1, -0.5}));
  const ComposedGradient gradient =
      differentiate_composed(at::full_like(input, 1.0), input, forms, 1);
  ASSERT_EQ(gradient.sums.size(), 2U);
  EXPECT_EQ(gradient.sums[0].above, 0);
  EXPECT_EQ(gradient.sums[1].above, 1);
  EXPECT_EQ(gradient.sums[1].below, 1);
}

}  // namespace
}  // namespace espalier::exec
