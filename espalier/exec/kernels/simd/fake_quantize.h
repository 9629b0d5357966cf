#pragma once

#include <cstddef>

namespace espalier::exec::simd {

/// Integer grid and affine map of one quantizer.
struct Affine {
  float scale = 1;
  float zero = 0;
};
struct GridLimits {
  float low = 0;
  float high = 255;
};

/// What one call works on. `output` may be `input`.
struct QuantizeRun {
  const float* input = nullptr;
  float* output = nullptr;
  std::size_t count = 0;
};

/// y[i] = (clamp(round_half_even(x[i] / s) + z, low, high) - z) * s; NaN gives (clamp(z) - z) * s.
/// Bit for bit the same on every instruction set.
void fake_quantize(const QuantizeRun& run, Affine affine, GridLimits limits);

/// The same with a scale and a zero point an element.
void fake_quantize_each(const QuantizeRun& run, const float* scales, const float* zeros,
                        GridLimits limits);

}  // namespace espalier::exec::simd
