#include "espalier/exec/kernels/fake_quantize.h"

#include <cmath>
#include <limits>

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "espalier/tensor/quantize.h"
#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

using tensor::QuantGrid;
using tensor::QuantParams;

FakeQuantizer quantizer_of(const QuantParams& params) {
  return {.scale = at::tensor(params.scale),
          .zero = at::tensor(params.zero_point).to(at::kFloat),
          .qmin = static_cast<float>(params.grid.qmin()),
          .qmax = static_cast<float>(params.grid.qmax()),
          .axis = params.axis};
}

void expect_reference_bits(const Tensor& input, const QuantParams& params) {
  EXPECT_THAT(apply_fake_quantize(input, quantizer_of(params)),
              kit::HasSameBits(tensor::fake_quantize(input, params)));
}

const QuantParams kPerTensor{.grid = QuantGrid{}, .scale = {0.0371F}, .zero_point = {131}};

TEST(FakeQuantizeTest, EqualsTheReferenceBitForBit) {
  for (const std::int64_t count : {1, 3, 15, 16, 17, 1000, 100003}) {
    expect_reference_bits(kit::random_tensor({count}, 5, {.low = -9, .high = 9}), kPerTensor);
  }
  const float infinity = std::numeric_limits<float>::infinity();
  expect_reference_bits(
      kit::tensor_of({infinity, -infinity, NAN, 0, -0.0F, 1e30F, -1e30F, 0.01855F}), kPerTensor);
}

TEST(FakeQuantizeTest, EqualsTheReferencePerChannelInEveryLayout) {
  const Tensor input = kit::random_tensor({3, 5, 4, 7}, 6, {.normal = true});
  const QuantParams params{.grid = QuantGrid{.is_signed = true},
                           .scale = {0.01F, 0.02F, 0.03F, 0.5F, 1.7F},
                           .zero_point = {0, 3, -7, 0, 1},
                           .axis = 1};
  expect_reference_bits(input, params);
  expect_reference_bits(input.contiguous(at::MemoryFormat::ChannelsLast), params);
  expect_reference_bits(input.transpose(2, 3), params);
}

TEST(FakeQuantizeTest, OtherTypesKeepTheirs) {
  const Tensor input = kit::random_tensor({64}, 8, {.low = -4, .high = 4});
  const FakeQuantizer quantizer = quantizer_of(kPerTensor);
  const Tensor expected = apply_fake_quantize(input, quantizer);
  const Tensor wide = apply_fake_quantize(input.to(at::kDouble), quantizer);
  EXPECT_EQ(wide.scalar_type(), at::kDouble);
  EXPECT_THAT(wide, kit::IsCloseTo(expected, kit::Tolerance{.absolute = 1e-6}));
  const Tensor narrow = apply_fake_quantize(input.to(at::kBFloat16), quantizer);
  EXPECT_EQ(narrow.scalar_type(), at::kBFloat16);
  EXPECT_THAT(narrow, kit::IsCloseTo(expected, kit::Tolerance{.absolute = 0.06}));
}

TEST(FakeQuantizeTest, RefusesAScaleThatDoesNotFit) {
  FakeQuantizer quantizer = quantizer_of(kPerTensor);
  quantizer.axis = 1;
  EXPECT_THROW((void)apply_fake_quantize(at::zeros({2, 3}), quantizer), std::invalid_argument);
}

}  // namespace
}  // namespace espalier::exec
