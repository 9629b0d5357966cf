#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace espalier::exec::simd {

// The loops of trainable quantizers, over float32 and bfloat16 (as its bits). Every instruction set
// gives the same bits: no multiplication is joined with an addition, and sums are taken in 16 lanes
// that are added as a fixed tree, in blocks whose place does not depend on the number of threads.

/// Elements of one block of a reduction. Blocks start at multiples of it.
inline constexpr std::size_t kReductionBlock = 4096;
/// Rows of one block of a reduction over rows.
inline constexpr std::size_t kReductionRows = 128;

/// bfloat16 as its bits.
struct BFloat16 {
  std::uint16_t bits = 0;
};

/// y = (clamp(round_half_even(x / scale) + zero, low, high) - zero) * scale.
struct QuantizerForm {
  float scale = 1;
  float zero = 0;
  float low = 0;
  float high = 255;
  /// Inside is low + low_edge <= x / scale + zero <= high - high_edge, which only gradients ask: an
  /// edge counts as beyond its limit.
  float low_edge = 0;
  float high_edge = 0;
};

/// Smallest and largest element; NaN does not count. Low is above high for no elements.
struct Extremes {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
};

/// Sums over gradients g of the quantizer's output, sorted by where the input fell, as LSQ
/// (arXiv:1902.08153, eq. 3 and 5) and PACT (arXiv:1805.06085) have it, before it is rounded:
/// above: beyond the inside at its upper end; below: at its lower one; rounding:
/// g * (round(x / s) - x / s) inside.
struct GradientSums {
  float above = 0;
  float below = 0;
  float rounding = 0;
};

/// Arrays of one forward block. `output` may be null: then only the extremes are found; it may be
/// `input`. NaN gives NaN, so that it does not vanish in training.
template <typename Element>
struct ForwardRun {
  const Element* input = nullptr;
  Element* output = nullptr;
  std::uint8_t* codes = nullptr;   ///< null, or code - low of every element (at most 8 bits)
  std::uint8_t* inside = nullptr;  ///< null, or one bit an element: QuantizerForm's inside
  std::uint8_t* above = nullptr;   ///< null, or one bit an element: beyond it above
  std::size_t count = 0;           ///< bit arrays hold whole groups of 16
  bool rectify = false;            ///< max(input, 0) is quantized; what it cut is not `inside`
};

/// Arrays of one backward block: result = gradient inside, 0 outside. `result` may be `gradient`.
template <typename Element>
struct BackwardRun {
  const Element* gradient = nullptr;
  Element* result = nullptr;
  const Element* input = nullptr;        ///< what forward got, or null
  const std::uint8_t* inside = nullptr;  ///< in place of the input: what forward gave
  const std::uint8_t* above = nullptr;
  std::size_t count = 0;  ///< at most kReductionBlock
  bool rectify = false;   ///< as forward had it
};

/// Rows of `channels` elements with a scale and a zero point a channel (channels last).
template <typename Element>
struct RowsRun {
  const Element* input = nullptr;
  const Element* gradient = nullptr;  ///< backward only
  Element* result = nullptr;          ///< output or input gradient; may be `gradient`
  std::size_t rows = 0;               ///< backward: at most kReductionRows
  std::size_t channels = 0;
  const float* scales = nullptr;
  const float* zeros = nullptr;
  float low = 0;
  float high = 255;
  float low_edge = 0;
  float high_edge = 0;
};

/// @name One block
/// @{
Extremes quantize_block(const ForwardRun<float>& run, const QuantizerForm& form);
Extremes quantize_block(const ForwardRun<BFloat16>& run, const QuantizerForm& form);

/// From masks: `rounding` stays 0. From the input: all three sums.
GradientSums backward_block(const BackwardRun<float>& run, const QuantizerForm& form);
GradientSums backward_block(const BackwardRun<BFloat16>& run, const QuantizerForm& form);

void quantize_rows(const RowsRun<float>& run);
void quantize_rows(const RowsRun<BFloat16>& run);

/// `sums`: above, below and rounding, each of `channels` elements, one after the other.
void backward_rows(const RowsRun<float>& run, float* sums);
void backward_rows(const RowsRun<BFloat16>& run, float* sums);

/// output[i] = (low + codes[i] - zero) * scale.
void dequantize_codes(const std::uint8_t* codes, float* output, std::size_t count,
                      const QuantizerForm& form);
/// @}

}  // namespace espalier::exec::simd
