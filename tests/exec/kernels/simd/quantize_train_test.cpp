#include "espalier/exec/kernels/simd/quantize_train.h"

#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "tests/exec/kernels/simd/instruction_sets.h"
#include "tests/kit/tensors.h"

namespace espalier::exec::simd {
namespace {

/// Numbers of all kinds: in range, far out, ties, NaN, infinities, subnormals.
std::vector<float> awkward_numbers(std::size_t count, std::uint64_t seed) {
  const Tensor drawn =
      kit::random_tensor({static_cast<std::int64_t>(count)}, seed, {.low = -4, .high = 4});
  std::vector<float> numbers(drawn.data_ptr<float>(), drawn.data_ptr<float>() + count);
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> special{NAN,    infinity, -infinity, 1e-41F, -1e-41F,
                                   0.125F, -0.0F,    3e38F,     -3e38F, 0.375F};
  for (std::size_t index = 0; index < count; index += 7) {
    numbers[index] = special[index / 7 % special.size()];
  }
  return numbers;
}

std::vector<BFloat16> halves(const std::vector<float>& numbers) {
  std::vector<BFloat16> result;
  for (const float number : numbers) {
    result.push_back({static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(number) >> 16U)});
  }
  return result;
}

/// Everything the loops give, as bits.
struct Result {
  std::vector<std::uint32_t> words;

  void add(float value) { words.push_back(std::bit_cast<std::uint32_t>(value)); }
  void add(BFloat16 value) { words.push_back(value.bits); }
  void add(std::uint8_t value) { words.push_back(value); }
  void add(const Extremes& value) {
    add(value.low);
    add(value.high);
  }
  void add(const GradientSums& value) {
    add(value.above);
    add(value.below);
    add(value.rounding);
  }
  template <typename Element>
  void add(const std::vector<Element>& values) {
    for (const Element value : values) add(value);
  }
};

constexpr QuantizerForm kForm{
    .scale = 0.25F, .zero = 3, .low = 0, .high = 15, .low_edge = 0.25F, .high_edge = 1e-5F};

template <typename Element>
void run_blocks(const std::vector<Element>& input, const std::vector<Element>& gradient,
                bool rectify, Result& result) {
  const std::size_t count = input.size();
  std::vector<Element> output(count);
  std::vector<std::uint8_t> codes(count);
  std::vector<std::uint8_t> inside((count + 15) / 16 * 2);
  std::vector<std::uint8_t> above(inside.size());
  result.add(quantize_block(ForwardRun<Element>{.input = input.data(),
                                                .output = output.data(),
                                                .codes = codes.data(),
                                                .inside = inside.data(),
                                                .above = above.data(),
                                                .count = count,
                                                .rectify = rectify},
                            kForm));
  result.add(output);
  result.add(codes);
  const auto from_masks = backward_block(BackwardRun<Element>{.gradient = gradient.data(),
                                                              .result = output.data(),
                                                              .inside = inside.data(),
                                                              .above = above.data(),
                                                              .count = count,
                                                              .rectify = rectify},
                                         kForm);
  result.add(from_masks);
  result.add(output);
  std::vector<Element> again(count);
  const auto from_values = backward_block(BackwardRun<Element>{.gradient = gradient.data(),
                                                               .result = again.data(),
                                                               .input = input.data(),
                                                               .count = count,
                                                               .rectify = rectify},
                                          kForm);
  result.add(from_values);
  Result left;
  Result right;
  left.add(output);
  right.add(again);
  EXPECT_EQ(left.words, right.words) << "masks and values agree";
  EXPECT_EQ(from_masks.above, from_values.above);
  EXPECT_EQ(from_masks.below, from_values.below);
}

template <typename Element>
void run_rows(const std::vector<Element>& input, const std::vector<Element>& gradient,
              std::size_t channels, Result& result) {
  std::vector<float> scales(channels);
  std::vector<float> zeros(channels);
  for (std::size_t channel = 0; channel < channels; ++channel) {
    scales[channel] = 0.1F + 0.03F * static_cast<float>(channel);
    zeros[channel] = static_cast<float>(channel % 5);
  }
  std::vector<Element> output(input.size());
  RowsRun<Element> run{.input = input.data(),
                       .gradient = gradient.data(),
                       .result = output.data(),
                       .rows = input.size() / channels,
                       .channels = channels,
                       .scales = scales.data(),
                       .zeros = zeros.data(),
                       .low = 0,
                       .high = 15,
                       .low_edge = 0.25F,
                       .high_edge = 0.5F};
  quantize_rows(run);
  result.add(output);
  std::vector<float> sums(3 * channels);
  backward_rows(run, sums.data());
  result.add(output);
  result.add(sums);
}

TEST(QuantizeTrain, EveryInstructionSetGivesTheSameBits) {
  for (const std::size_t count : {1U, 5U, 15U, 16U, 17U, 63U, 64U, 1000U, 4096U}) {
    const std::vector<float> input = awkward_numbers(count, count);
    const Tensor drawn = kit::random_tensor({static_cast<std::int64_t>(count)}, 99);
    const float* draws = drawn.const_data_ptr<float>();
    const std::vector<float> gradient(draws, draws + count);
    std::vector<std::uint32_t> first;
    int sets = 0;
    for_each_instruction_set([&](const std::string& name) {
      Result result;
      for (const bool rectify : {false, true}) {
        run_blocks(input, gradient, rectify, result);
        run_blocks(halves(input), halves(gradient), rectify, result);
      }
      const std::size_t channels = count % 4 == 0 ? count / 4 : 1;
      run_rows(input, gradient, channels, result);
      run_rows(halves(input), halves(gradient), channels, result);
      if (first.empty()) first = result.words;
      EXPECT_EQ(result.words, first) << name << ", " << count << " elements";
      ++sets;
    });
    EXPECT_GE(sets, 1);
  }
}

TEST(QuantizeTrain, DequantizesCodesOnEveryInstructionSet) {
  std::vector<std::uint8_t> codes(259);
  for (std::size_t index = 0; index < codes.size(); ++index) {
    codes[index] = static_cast<std::uint8_t>(index);
  }
  const QuantizerForm form{.scale = 0.3F, .zero = -7, .low = -128, .high = 127};
  for_each_instruction_set([&](const std::string& name) {
    std::vector<float> values(codes.size());
    dequantize_codes(codes.data(), values.data(), codes.size(), form);
    for (std::size_t index = 0; index < codes.size(); ++index) {
      const float code = static_cast<float>(codes[index]) - 128.0F;
      ASSERT_EQ(values[index], (code + 7.0F) * 0.3F) << name << " " << index;
    }
  });
}

}  // namespace
}  // namespace espalier::exec::simd
