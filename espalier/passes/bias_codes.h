#pragma once

#include "espalier/tensor/tensor.h"

namespace espalier::passes {

/// Scale of an int32 bias: the float32 product of the input's scale and each weight scale, repeated
/// to `outputs` values where a grouped transposed convolution has one scale for several groups.
/// One value when the weight is quantized per tensor.
[[nodiscard]] Tensor bias_scale(const Tensor& input_scale, const Tensor& weight_scale,
                                std::int64_t outputs);

/// Codes of a float bias as int32: round_half_even(bias / scale) among the integers that a float32
/// holds, clamped to +-(2^31 - 128). A bias that bias_values made gives the codes it was made of.
[[nodiscard]] Tensor bias_codes(const Tensor& bias, const Tensor& scale);

/// float32(code) * scale in float32, as DequantizeLinear computes it.
[[nodiscard]] Tensor bias_values(const Tensor& codes, const Tensor& scale);

}  // namespace espalier::passes
