#pragma once

#include <cstdint>

#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// A quantizer as FakeQuantize nodes carry it.
struct FakeQuantizer {
  Tensor scale;  ///< float32, one element or one an index of `axis`
  Tensor zero;   ///< float32, same length
  float qmin = 0;
  float qmax = 255;
  std::int64_t axis = -1;  ///< -1: per tensor
};

/// (clamp(round_half_even(x / s) + z, qmin, qmax) - z) * s, one pass over memory; bit for bit what
/// tensor::fake_quantize gives in float32; bfloat16 is computed in float32, float64 in float64. Not
/// differentiable: trained_quantizer.h is.
[[nodiscard]] Tensor apply_fake_quantize(const Tensor& input, const FakeQuantizer& quantizer);

}  // namespace espalier::exec
