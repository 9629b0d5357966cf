#include "espalier/exec/kernels/simd/batch_norm.h"

#include <bit>
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "tests/exec/kernels/simd/instruction_sets.h"
#include "tests/kit/tensors.h"

namespace espalier::exec::simd {
namespace {

std::vector<float> draw(std::size_t count, std::uint64_t seed) {
  const Tensor drawn =
      kit::random_tensor({static_cast<std::int64_t>(count)}, seed, {.low = -2, .high = 2});
  return {drawn.const_data_ptr<float>(), drawn.const_data_ptr<float>() + count};
}

void add_bits(const std::vector<float>& values, std::vector<std::uint32_t>& bits) {
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
}

struct Shape {
  std::size_t rows;
  std::size_t channels;
};

enum class Quantizing { Not, Observed, Clipped, Scaled };

std::vector<std::uint32_t> run_all(const Shape& shape, Quantizing quantizing) {
  const bool quantizes = quantizing != Quantizing::Not;
  const std::size_t count = shape.rows * shape.channels;
  const std::vector<float> input = draw(count, 1);
  const std::vector<float> gradient = draw(count, 2);
  const std::vector<float> factor = draw(shape.channels, 3);
  const std::vector<float> offset = draw(shape.channels, 4);
  const std::vector<float> mean = draw(shape.channels, 5);
  const QuantizerForm form{.scale = 0.2F, .zero = 0, .low = 0, .high = 7};
  std::vector<std::uint32_t> bits;
  std::vector<float> sums(2 * shape.channels);
  channel_moments(input.data(), shape.rows, shape.channels, input.data(), sums.data());
  add_bits(sums, bits);
  std::vector<float> output(count);
  std::vector<std::uint8_t> codes(count);
  const Extremes extremes = normalize_rows({.input = input.data(),
                                            .output = output.data(),
                                            .codes = quantizes ? codes.data() : nullptr,
                                            .rows = shape.rows,
                                            .channels = shape.channels,
                                            .factor = factor.data(),
                                            .offset = offset.data(),
                                            .bounds = {.low = 0},
                                            .form = quantizes ? &form : nullptr});
  add_bits(output, bits);
  add_bits({extremes.low, extremes.high}, bits);
  bits.insert(bits.end(), codes.begin(), codes.end());
  const NormalizeBackwardRun run{.gradient = gradient.data(),
                                 .input = input.data(),
                                 .result = output.data(),
                                 .rows = shape.rows,
                                 .channels = shape.channels,
                                 .factor = factor.data(),
                                 .offset = offset.data(),
                                 .mean = mean.data(),
                                 .bounds = {.low = 0},
                                 .form = quantizes ? &form : nullptr,
                                 .inside = quantizes ? inside_range(form) : InsideRange{},
                                 .learns = quantizing >= Quantizing::Clipped,
                                 .rounding = quantizing == Quantizing::Scaled};
  std::vector<float> totals(NormalizeSum::Count * shape.channels, NAN);
  const GradientSums learned = normalize_sums(run, totals.data());
  add_bits(totals, bits);
  add_bits({learned.above, learned.below, learned.rounding}, bits);
  normalize_backward(run, factor.data(), mean.data());
  add_bits(output, bits);
  return bits;
}

TEST(BatchNorm, EveryInstructionSetGivesTheSameBits) {
  for (const Shape shape : {Shape{1, 1}, Shape{3, 5}, Shape{7, 16}, Shape{9, 32}, Shape{128, 24},
                            Shape{5, 64}, Shape{64, 67}, Shape{3, 128}}) {
    for (const Quantizing quantizing :
         {Quantizing::Not, Quantizing::Observed, Quantizing::Clipped, Quantizing::Scaled}) {
      std::vector<std::uint32_t> first;
      for_each_instruction_set([&](const std::string& name) {
        const std::vector<std::uint32_t> bits = run_all(shape, quantizing);
        if (first.empty()) first = bits;
        EXPECT_EQ(bits, first) << name << " " << shape.rows << "x" << shape.channels;
      });
    }
  }
}

TEST(BatchNorm, LearnedSumsAreThoseOfPlainLoops) {
  const Shape shape{.rows = 37, .channels = 67};
  const std::size_t count = shape.rows * shape.channels;
  const std::vector<float> input = draw(count, 1);
  const std::vector<float> gradient = draw(count, 2);
  const std::vector<float> factor = draw(shape.channels, 3);
  const std::vector<float> offset = draw(shape.channels, 4);
  const std::vector<float> mean = draw(shape.channels, 5);
  const QuantizerForm form{.scale = 0.2F, .zero = 2, .low = 0, .high = 7};
  double above = 0;
  double below = 0;
  double rounding = 0;
  for (std::size_t index = 0; index < count; ++index) {
    const std::size_t channel = index % shape.channels;
    const double quotient = (factor[channel] * input[index] + offset[channel]) / form.scale;
    const double place = quotient + form.zero;
    if (place > form.high) above += gradient[index];
    if (place < form.low) below += gradient[index];
    if (place >= form.low && place <= form.high) {
      rounding += gradient[index] * (std::nearbyint(quotient) - quotient);
    }
  }
  std::vector<float> totals(NormalizeSum::Count * shape.channels);
  const GradientSums learned = normalize_sums({.gradient = gradient.data(),
                                               .input = input.data(),
                                               .rows = shape.rows,
                                               .channels = shape.channels,
                                               .factor = factor.data(),
                                               .offset = offset.data(),
                                               .mean = mean.data(),
                                               .bounds = {},
                                               .form = &form,
                                               .inside = inside_range(form),
                                               .learns = true,
                                               .rounding = true},
                                              totals.data());
  EXPECT_NEAR(learned.above, above, 1e-3);
  EXPECT_NEAR(learned.below, below, 1e-3);
  EXPECT_NEAR(learned.rounding, rounding, 1e-3);
  EXPECT_GT(std::abs(above), 1);
  EXPECT_GT(std::abs(below), 1);
  EXPECT_GT(std::abs(rounding), 1);
}

TEST(BatchNorm, InsideRangeIsExact) {
  const std::vector<QuantizerForm> forms{
      {.scale = 0.1F, .zero = 0, .low = 0, .high = 255},
      {.scale = 0.037F, .zero = 131, .low = 0, .high = 255},
      {.scale = 3.3F, .zero = 0, .low = -127, .high = 127},
      {.scale = 0.7F, .zero = 0, .low = -127, .high = 127, .low_edge = 6e-5F, .high_edge = 0.125F},
      {.scale = 1e-7F, .zero = 3, .low = -8, .high = 7}};
  for (const QuantizerForm& form : forms) {
    const InsideRange range = inside_range(form);
    const auto place = [&](float value) { return value / form.scale + form.zero; };
    const float first = form.low + form.low_edge;
    const float last = form.high - form.high_edge;
    EXPECT_LE(place(range.to), last);
    EXPECT_GT(place(std::nextafter(range.to, 3e38F)), last);
    EXPECT_GE(place(range.from), first);
    EXPECT_LT(place(std::nextafter(range.from, -3e38F)), first);
  }
}

}  // namespace
}  // namespace espalier::exec::simd
