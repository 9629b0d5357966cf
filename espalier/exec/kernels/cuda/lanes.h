#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "espalier/exec/kernels/cuda/api.h"

#if defined(__CUDACC__)
#define ESPALIER_BOTH __host__ __device__ inline
#else
#define ESPALIER_BOTH inline
#endif

/// The loops of simd/quantize_train.h, written for a team of 16 lanes: 16 threads of a GPU, or a
/// loop on the processor, which is how they are tested. They give the bits that the processor's
/// loops give (compile without contraction of products and sums, with IEEE division).
namespace espalier::exec::cuda {

inline constexpr int kLanes = 16;

ESPALIER_BOTH float load(const float* from) {
  return *from;
}
ESPALIER_BOTH float load(const simd::BFloat16* from) {
  const std::uint32_t bits = std::uint32_t{from->bits} << 16U;
  float value = 0;
  memcpy(&value, &bits, sizeof value);
  return value;
}
ESPALIER_BOTH void store(float value, float* to) {
  *to = value;
}
/// Rounds to nearest, ties to even; NaN becomes the quiet one.
ESPALIER_BOTH void store(float value, simd::BFloat16* to) {
  std::uint32_t bits = 0;
  memcpy(&bits, &value, sizeof bits);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U;
  to->bits = value == value ? static_cast<std::uint16_t>(rounded) : std::uint16_t{0x7FC0};
}

struct Quantized {
  float clamped = 0;
  float residual = 0;  ///< round(x / s) - x / s
  bool inside = false;
  bool above = false;
};

ESPALIER_BOTH Quantized quantize(float x, const simd::QuantizerForm& form) {
  const float quotient = x / form.scale;
  const float number = quotient == quotient ? quotient : 0.0F;
  const float rounded = rintf(number);
  const float place = number + form.zero;
  const float clamped = fminf(fmaxf(rounded + form.zero, form.low), form.high);
  const float from = form.low + form.low_edge;
  const float to = form.high - form.high_edge;
  return {clamped, rounded - number, place >= from && place <= to, place > to};
}

ESPALIER_BOTH float value_of(const Quantized& lane, float x, const simd::QuantizerForm& form) {
  return x == x ? (lane.clamped - form.zero) * form.scale : x;
}

/// Where a block lies.
struct Span {
  std::int64_t begin = 0;
  std::int64_t length = 0;
  std::int64_t channel = 0;
};

ESPALIER_BOTH Span span_of(const Blocks& blocks, std::int64_t block) {
  constexpr auto kBlock = static_cast<std::int64_t>(simd::kReductionBlock);
  const std::int64_t plane = block / blocks.per_plane;
  const std::int64_t start = block % blocks.per_plane * kBlock;
  const std::int64_t left = blocks.inner - start;
  return {plane * blocks.inner + start, left < kBlock ? left : kBlock, plane % blocks.channels};
}

/// One block forward. Lanes behind the end repeat the group's first element and store nothing.
template <typename Element, typename Team>
ESPALIER_BOTH void forward_block(const Team& team, const Forward& work, std::int64_t block) {
  const Span span = span_of(work.blocks, block);
  const simd::QuantizerForm form = work.forms[span.channel];
  const Element* input = static_cast<const Element*>(work.input) + span.begin;
  Element* output = work.output == nullptr ? nullptr : static_cast<Element*>(work.output);
  typename Team::template Lanes<float> least;
  typename Team::template Lanes<float> most;
  typename Team::template Lanes<bool> inside;
  typename Team::template Lanes<bool> above;
  const simd::Extremes none;
  team.each([&](int, int slot) {
    least[slot] = none.low;
    most[slot] = none.high;
  });
  for (std::int64_t start = 0; start < span.length; start += kLanes) {
    team.each([&](int lane, int slot) {
      const std::int64_t index = start + lane;
      const bool present = index < span.length;
      const float x = load(input + (present ? index : start));
      if (x < least[slot]) least[slot] = x;
      if (x > most[slot]) most[slot] = x;
      const Quantized result = quantize(x, form);
      inside[slot] = result.inside;
      above[slot] = result.above;
      if (output != nullptr && present) {
        store(value_of(result, x, form), output + span.begin + index);
      }
    });
    const std::int64_t byte = (span.begin + start) / 8;
    if (work.inside != nullptr) team.write_bits(team.vote(inside), work.inside + byte);
    if (work.above != nullptr) team.write_bits(team.vote(above), work.above + byte);
  }
  const simd::Extremes extremes{team.least(least), team.most(most)};
  if (team.leads()) work.found[block] = extremes;
}

/// One block backward.
template <typename Element, typename Team>
ESPALIER_BOTH void backward_block(const Team& team, const Backward& work, std::int64_t block) {
  const Span span = span_of(work.blocks, block);
  const simd::QuantizerForm form = work.forms[span.channel];
  const Element* gradient = static_cast<const Element*>(work.gradient) + span.begin;
  Element* result = static_cast<Element*>(work.result) + span.begin;
  const Element* input =
      work.input == nullptr ? nullptr : static_cast<const Element*>(work.input) + span.begin;
  typename Team::template Lanes<float> above_sum;
  typename Team::template Lanes<float> below_sum;
  typename Team::template Lanes<float> rounding_sum;
  team.each([&](int, int slot) { above_sum[slot] = below_sum[slot] = rounding_sum[slot] = 0.0F; });
  for (std::int64_t start = 0; start < span.length; start += kLanes) {
    const std::int64_t byte = (span.begin + start) / 8;
    team.each([&](int lane, int slot) {
      const std::int64_t index = start + lane;
      const bool present = index < span.length;
      const float g = present ? load(gradient + index) : 0.0F;
      bool inside = false;
      bool above = false;
      if (work.inside != nullptr) {
        const std::int64_t place = byte + lane / 8;
        inside = (work.inside[place] >> (lane % 8) & 1) != 0;
        above = work.above != nullptr && (work.above[place] >> (lane % 8) & 1) != 0;
      } else {
        const Quantized code = quantize(present ? load(input + index) : 0.0F, form);
        inside = code.inside;
        above = code.above;
        rounding_sum[slot] += inside ? g * code.residual : 0.0F;
      }
      if (present) store(inside ? g : 0.0F, result + index);
      above_sum[slot] += above ? g : 0.0F;
      below_sum[slot] += inside || above ? 0.0F : g;
    });
  }
  const simd::GradientSums sums{team.sum(above_sum), team.sum(below_sum), team.sum(rounding_sum)};
  if (team.leads()) work.found[block] = sums;
}

ESPALIER_BOTH std::int64_t row_blocks(const Rows& work) {
  constexpr auto kRows = static_cast<std::int64_t>(simd::kReductionRows);
  return (work.rows + kRows - 1) / kRows;
}

/// One channel of one block of rows; a single lane's work.
template <typename Element>
ESPALIER_BOTH void row_block(const Rows& work, std::int64_t block, std::int64_t channel) {
  constexpr auto kRows = static_cast<std::int64_t>(simd::kReductionRows);
  const simd::QuantizerForm form = work.forms[channel];
  const Element* input = static_cast<const Element*>(work.input);
  const Element* gradient = static_cast<const Element*>(work.gradient);
  Element* result = static_cast<Element*>(work.result);
  float above_sum = 0;
  float below_sum = 0;
  float rounding_sum = 0;
  const std::int64_t last = block * kRows + kRows < work.rows ? block * kRows + kRows : work.rows;
  for (std::int64_t row = block * kRows; row < last; ++row) {
    const std::int64_t index = row * work.channels + channel;
    const float x = load(input + index);
    const Quantized code = quantize(x, form);
    if (gradient == nullptr) {
      store(value_of(code, x, form), result + index);
      continue;
    }
    const float g = load(gradient + index);
    store(code.inside ? g : 0.0F, result + index);
    above_sum += code.above ? g : 0.0F;
    below_sum += code.inside || code.above ? 0.0F : g;
    rounding_sum += code.inside ? g * code.residual : 0.0F;
  }
  if (gradient == nullptr) return;
  float* sums = work.sums + block * 3 * work.channels;
  sums[channel] = above_sum;
  sums[work.channels + channel] = below_sum;
  sums[2 * work.channels + channel] = rounding_sum;
}

}  // namespace espalier::exec::cuda
