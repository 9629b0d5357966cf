#pragma once

#include <cstddef>
#include <cstdint>

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

/// y[i] = (clamp(round_half_even(x[i] / s) + z, low, high) - z) * s; NaN gives (clamp(z) - z) * s.
/// `inside`, when not null, gets 1 where round(x / s) + z lies within the limits, else 0: where the
/// gradient passes. `output` may be `input`. Bit for bit the same on every instruction set.
void fake_quantize(const float* input, float* output, std::uint8_t* inside, std::size_t count,
                   Affine affine, GridLimits limits);

/// The same for `count` elements with a scale and a zero point each.
void fake_quantize_each(const float* input, float* output, std::uint8_t* inside, std::size_t count,
                        const float* scales, const float* zeros, GridLimits limits);

}  // namespace espalier::exec::simd
