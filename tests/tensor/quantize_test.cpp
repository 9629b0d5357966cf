#include "espalier/tensor/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "espalier/base/random.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::tensor {
namespace {

using kit::integers_of;
using kit::random_tensor;
using kit::tensor_of;
using kit::values_of;

constexpr QuantGrid kU8{};
constexpr QuantGrid kS8{.is_signed = true};
constexpr QuantGrid kWeights{.is_signed = true, .narrow = true};
constexpr QuantGrid kReduced{.is_signed = true, .narrow = true, .reduced = true};

struct GridCase {
  const char* name;
  QuantGrid grid;
  std::int64_t qmin;
  std::int64_t qmax;
};

const std::vector<GridCase>& grids() {
  static const std::vector<GridCase> kGrids{
      {"u8", kU8, 0, 255},
      {"s8", kS8, -128, 127},
      {"weights", kWeights, -127, 127},
      {"reduced weights", kReduced, -63, 63},
      {"reduced s8", {.is_signed = true, .reduced = true}, -64, 63},
      {"reduced u8", {.reduced = true}, 0, 127},
      {"u4", {.bits = 4}, 0, 15},
      {"narrow s4", {.bits = 4, .is_signed = true, .narrow = true}, -7, 7},
      {"s2", {.bits = 2, .is_signed = true}, -2, 1},
      {"u16", {.bits = 16}, 0, 65535},
      {"s16", {.bits = 16, .is_signed = true}, -32768, 32767},
  };
  return kGrids;
}

TEST(QuantGrid, HasTheCodesOfItsFlags) {
  for (const GridCase& item : grids()) {
    EXPECT_EQ(item.grid.qmin(), item.qmin) << item.name;
    EXPECT_EQ(item.grid.qmax(), item.qmax) << item.name;
  }
}

/// Round half to even written out, so that it depends on no rounding mode.
double round_half_even(double value) {
  const double below = std::floor(value);
  const double part = value - below;
  if (part < 0.5) return below;
  if (part > 0.5) return below + 1;
  return std::fmod(below, 2.0) == 0.0 ? below : below + 1;
}

/// The definition, one value at a time. The division is in float32, as engines do it.
std::int64_t reference_code(float value, float scale, std::int32_t zero, const QuantGrid& grid) {
  if (std::isnan(value)) return zero;
  const double code = round_half_even(static_cast<double>(value / scale)) + zero;
  return static_cast<std::int64_t>(
      std::clamp(code, static_cast<double>(grid.qmin()), static_cast<double>(grid.qmax())));
}

double reference_value(std::int64_t code, float scale, std::int32_t zero) {
  return static_cast<double>(static_cast<float>(code - zero) * scale);
}

TEST(ScaleForRange, AsymmetricCoversTheRangeAndZero) {
  const auto [scale, zero] = scale_for_range(-1.0, 3.0, kU8, false);
  EXPECT_FLOAT_EQ(scale, 4.0F / 255.0F);
  EXPECT_EQ(zero, 64);  // round(63.75)
}

TEST(ScaleForRange, IsWidenedToZero) {
  EXPECT_EQ(scale_for_range(2.0, 3.0, kU8, false).zero_point, 0);
  EXPECT_FLOAT_EQ(scale_for_range(2.0, 3.0, kU8, false).scale, 3.0F / 255.0F);
  EXPECT_EQ(scale_for_range(-3.0, -2.0, kU8, false).zero_point, 255);
  EXPECT_EQ(scale_for_range(2.0, 3.0, kS8, false).zero_point, -128);
}

TEST(ScaleForRange, SymmetricHasTheMiddleCodeAsZero) {
  EXPECT_EQ(scale_for_range(-1.0, 0.5, kWeights, true).zero_point, 0);
  EXPECT_FLOAT_EQ(scale_for_range(-1.0, 0.5, kWeights, true).scale, 1.0F / 127.0F);
  EXPECT_FLOAT_EQ(scale_for_range(-0.5, 2.0, kReduced, true).scale, 2.0F / 63.0F);
  EXPECT_EQ(scale_for_range(-1.0, 0.5, kU8, true).zero_point, 128);
  EXPECT_FLOAT_EQ(scale_for_range(-1.0, 0.5, kU8, true).scale, 1.0F / 127.0F);
}

TEST(ScaleForRange, DegenerateRangesGetScaleOne) {
  for (const GridCase& item : grids()) {
    for (const bool symmetric : {false, true}) {
      for (const double high : {0.0, 1e-45, 1e-300, 1e-38 / 1e5}) {
        const auto [scale, zero] = scale_for_range(0.0, high, item.grid, symmetric);
        EXPECT_EQ(scale, 1.0F) << item.name << " " << high;
        EXPECT_GE(zero, item.qmin) << item.name;
        EXPECT_LE(zero, item.qmax) << item.name;
      }
    }
  }
  // Zero stays exactly representable.
  const auto [scale, zero] = scale_for_range(0.0, 0.0, kS8, false);
  EXPECT_EQ(scale, 1.0F);
  EXPECT_EQ(zero, 0);
}

TEST(ScaleForRange, ARangeThatIsNotFiniteIsRefused) {
  const double infinite = std::numeric_limits<double>::infinity();
  kit::expect_user_error([&] { (void)scale_for_range(0.0, infinite, kU8, false); },
                         "cannot quantize a range that is not finite: got [0, inf]");
  kit::expect_user_error([&] { (void)scale_for_range(-infinite, 0.0, kU8, true); }, "[-inf, 0]");
  kit::expect_user_error([&] { (void)scale_for_range(std::nan(""), 0.0, kU8, true); }, "nan");
}

TEST(ScaleForRange, TheEndsAreWithinHalfAStepOnEveryGrid) {
  base::Random random(1);
  for (const GridCase& item : grids()) {
    for (int round = 0; round < 200; ++round) {
      const double size = std::pow(10.0, random.uniform(-6, 6));
      double low = random.uniform(-size, size);
      double high = random.uniform(-size, size);
      if (low > high) std::swap(low, high);
      for (const bool symmetric : {false, true}) {
        const auto [scale, zero] = scale_for_range(low, high, item.grid, symmetric);
        const double lowest = reference_value(item.qmin, scale, zero);
        const double highest = reference_value(item.qmax, scale, zero);
        const double slack = 0.5001 * scale + 1e-6 * size;
        EXPECT_LE(lowest, std::min(low, 0.0) + slack) << item.name;
        EXPECT_GE(highest, std::max(high, 0.0) - slack) << item.name;
        ASSERT_GE(zero, item.qmin);
        ASSERT_LE(zero, item.qmax);
      }
    }
  }
}

TEST(Quantize, RoundsHalvesToEven) {
  const QuantParams params{.grid = kS8, .scale = {0.5F}, .zero_point = {0}};
  const Tensor values = tensor_of({0.25F, 0.75F, 1.25F, -0.25F, -0.75F, -1.25F, 0.2499F, 0.2501F});
  EXPECT_EQ(values_of(quantize(values, params)), (std::vector<double>{0, 2, 2, 0, -2, -2, 0, 1}));
}

TEST(Quantize, RoundsBeforeTheZeroPointIsAdded) {
  // 0.5 + 3 would round to 4 (half to even of 3.5); round(0.5) + 3 is 3.
  const QuantParams params{.grid = kU8, .scale = {1.0F}, .zero_point = {3}};
  EXPECT_EQ(values_of(quantize(tensor_of({0.5F, 1.5F, -0.5F, -1.5F}), params)),
            (std::vector<double>{3, 5, 3, 1}));
}

TEST(Quantize, ClampsSaturatesAndMapsNanToZero) {
  const float infinite = std::numeric_limits<float>::infinity();
  const QuantParams params{.grid = kU8, .scale = {0.1F}, .zero_point = {10}};
  const Tensor values = tensor_of({infinite, -infinite, std::nanf(""), 1e30F, -1e30F, 24.5F, 0.0F});
  EXPECT_EQ(values_of(quantize(values, params)),
            (std::vector<double>{255, 0, 10, 255, 0, 255, 10}));
  EXPECT_EQ(values_of(fake_quantize(tensor_of({std::nanf("")}), params)), std::vector<double>{0});
}

TEST(Quantize, GivesInt32OfTheSameShape) {
  const QuantParams params{.grid = kU8, .scale = {1.0F}, .zero_point = {0}};
  const Tensor codes = quantize(random_tensor({2, 3, 4}, 1), params);
  EXPECT_EQ(codes.scalar_type(), at::kInt);
  EXPECT_EQ(codes.sizes(), (std::vector<std::int64_t>{2, 3, 4}));
  EXPECT_EQ(quantize(random_tensor({0, 3}, 1), params).numel(), 0);
  EXPECT_EQ(quantize(random_tensor({}, 1), params).dim(), 0);
}

TEST(Quantize, EqualsTheDefinitionOnEveryGrid) {
  base::Random random(2);
  for (const GridCase& item : grids()) {
    for (int round = 0; round < 20; ++round) {
      const double size = std::pow(10.0, random.uniform(-3, 3));
      const auto [scale, zero] =
          scale_for_range(-size * random.uniform(), size, item.grid, round % 2 == 0);
      const QuantParams params{.grid = item.grid, .scale = {scale}, .zero_point = {zero}};
      const Tensor values =
          random_tensor({257}, random.next_u64(), {.low = -2 * size, .high = 2 * size});
      const std::vector<double> inputs = values_of(values);
      const std::vector<double> codes = values_of(quantize(values, params));
      const std::vector<double> outputs = values_of(fake_quantize(values, params));
      for (std::size_t index = 0; index < inputs.size(); ++index) {
        const auto input = static_cast<float>(inputs[index]);
        const std::int64_t code = reference_code(input, scale, zero, item.grid);
        ASSERT_EQ(codes[index], static_cast<double>(code)) << item.name << " " << input;
        ASSERT_EQ(outputs[index], reference_value(code, scale, zero)) << item.name;
      }
    }
  }
}

TEST(FakeQuantize, ErrorInsideTheRangeIsAtMostHalfAStep) {
  base::Random random(3);
  for (const GridCase& item : grids()) {
    const auto [scale, zero] = scale_for_range(-0.7, 1.9, item.grid, false);
    const QuantParams params{.grid = item.grid, .scale = {scale}, .zero_point = {zero}};
    const Tensor values = random_tensor({4000}, random.next_u64(),
                                        {.low = reference_value(item.qmin, scale, zero),
                                         .high = reference_value(item.qmax, scale, zero)});
    const std::vector<double> inputs = values_of(values);
    const std::vector<double> outputs = values_of(fake_quantize(values, params));
    for (std::size_t index = 0; index < inputs.size(); ++index) {
      ASSERT_LE(std::abs(inputs[index] - outputs[index]), 0.5 * scale * (1 + 1e-4) + 1e-6)
          << item.name << " " << inputs[index];
    }
  }
}

TEST(FakeQuantize, IsIdempotentAndKeepsZero) {
  const auto [scale, zero] = scale_for_range(-0.3, 1.1, kU8, false);
  const QuantParams params{.grid = kU8, .scale = {scale}, .zero_point = {zero}};
  const Tensor once = fake_quantize(random_tensor({1000}, 4), params);
  EXPECT_THAT(fake_quantize(once, params), kit::HasSameBits(once));
  EXPECT_EQ(values_of(fake_quantize(tensor_of({0.0F, -0.0F}), params)),
            (std::vector<double>{0, 0}));
}

TEST(PerChannel, EachIndexOfTheAxisHasItsOwnParameters) {
  const Tensor values = random_tensor({3, 2, 4}, 5, {.low = -4, .high = 4});
  for (const int axis : {0, 1, 2}) {
    QuantParams params{.grid = kS8, .scale = {}, .zero_point = {}, .axis = axis};
    for (std::int64_t index = 0; index < values.size(axis); ++index) {
      params.scale.push_back(0.01F * static_cast<float>(index + 1));
      params.zero_point.push_back(static_cast<std::int32_t>(index) - 1);
    }
    const Tensor codes = quantize(values, params);
    const Tensor floats = dequantize(codes, params);
    for (std::int64_t index = 0; index < values.size(axis); ++index) {
      const auto at = static_cast<std::size_t>(index);
      const QuantParams single{
          .grid = kS8, .scale = {params.scale[at]}, .zero_point = {params.zero_point[at]}};
      EXPECT_THAT(codes.select(axis, index),
                  kit::HasSameBits(quantize(values.select(axis, index), single)));
      EXPECT_THAT(floats.select(axis, index),
                  kit::HasSameBits(fake_quantize(values.select(axis, index), single)));
    }
  }
}

TEST(PerChannel, ParametersThatDoNotFitAreOurBug) {
  const Tensor values = random_tensor({2, 3}, 6);
  const QuantParams wrong_length{
      .grid = kS8, .scale = {1.0F, 1.0F}, .zero_point = {0, 0}, .axis = 1};
  const QuantParams wrong_axis{.grid = kS8, .scale = {1.0F}, .zero_point = {0}, .axis = 2};
  const QuantParams two_for_one{.grid = kS8, .scale = {1.0F, 1.0F}, .zero_point = {0, 0}};
  for (const QuantParams& params : {wrong_length, wrong_axis, two_for_one}) {
    kit::expect_internal_error([&] { (void)quantize(values, params); },
                               "quantizer parameters do not fit");
  }
}

TEST(Dequantize, TakesCodesOfAnyIntegerType) {
  const QuantParams params{.grid = kU8, .scale = {0.5F}, .zero_point = {128}};
  const Tensor codes = integers_of({0, 128, 255});
  const std::vector<double> expected{-64, 0, 63.5};
  EXPECT_EQ(values_of(dequantize(codes, params)), expected);
  EXPECT_EQ(values_of(dequantize(codes.to(at::kByte), params)), expected);
  EXPECT_EQ(values_of(dequantize(codes.to(at::kInt), params)), expected);
  EXPECT_EQ(dequantize(codes, params).scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace espalier::tensor
