#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "espalier/exec/kernels/simd/quantize_train.h"

namespace espalier::exec::simd {

// BatchNormalization, a bounded activation and a quantizer in one loop each way, over rows of
// `channels` float32 elements (channels last). As in quantize_train.h, every instruction set gives
// the same bits; sums belong to one block of at most kReductionRows rows.

/// z = min(max(y, low), high); its gradient passes where low < y < high, also at the bounds when
/// they are `inclusive` (Relu: [0, inf), exclusive; Clip: inclusive).
struct Bounds {
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  bool inclusive = false;
};

/// Where z lies inside as QuantizerForm has it: from <= z <= to, exactly as quantize_block finds
/// it.
struct InsideRange {
  float from = -std::numeric_limits<float>::infinity();
  float to = std::numeric_limits<float>::infinity();
};
[[nodiscard]] InsideRange inside_range(const QuantizerForm& form);

/// y = factor[c] * x + offset[c], z = bounded y, output = quantized z.
struct NormalizeRun {
  const float* input = nullptr;
  float* output = nullptr;        ///< null: only the extremes are found
  std::uint8_t* codes = nullptr;  ///< null, or code - low of every element
  std::size_t rows = 0;
  std::size_t channels = 0;
  const float* factor = nullptr;
  const float* offset = nullptr;
  Bounds bounds;
  const QuantizerForm* form = nullptr;  ///< null: output = z
};

/// With dy the gradient of y:  result = factor[c] * dy + (slope[c] * (x - mean[c]) + shift[c]).
struct NormalizeBackwardRun {
  const float* gradient = nullptr;  ///< of the output
  const float* input = nullptr;     ///< x
  float* result = nullptr;          ///< gradient of x; may be `gradient`
  std::size_t rows = 0;
  std::size_t channels = 0;
  const float* factor = nullptr;
  const float* offset = nullptr;
  const float* mean = nullptr;
  Bounds bounds;
  const QuantizerForm* form = nullptr;
  InsideRange inside;     ///< of `form`; infinite without one
  bool learns = false;    ///< the sums that the quantizer learns from are wanted
  bool rounding = false;  ///< of them that of g * (round(z / s) - z / s), too
};

/// Places of the sums of a channel: sums[kind * channels + channel].
struct NormalizeSum {
  enum : std::size_t {
    Gradient,  ///< dy
    Product,   ///< dy * (x - mean)
    Count
  };
};

/// sums[c] = sum of x - shift[c]; sums[channels + c] = sum of (x - shift[c])^2.
void channel_moments(const float* input, std::size_t rows, std::size_t channels, const float* shift,
                     float* sums);
/// Extremes of z.
Extremes normalize_rows(const NormalizeRun& run);
/// All kinds of NormalizeSum. Returns the sums over all channels that the quantizer learns from;
/// zeros for those that are not wanted.
GradientSums normalize_sums(const NormalizeBackwardRun& run, float* sums);
void normalize_backward(const NormalizeBackwardRun& run, const float* slope, const float* shift);

}  // namespace espalier::exec::simd
