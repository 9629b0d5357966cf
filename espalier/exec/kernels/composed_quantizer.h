#pragma once

#include <cstdint>
#include <vector>

#include "espalier/exec/kernels/estimate.h"
#include "espalier/exec/kernels/simd/quantize_train.h"
#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// @name A quantizer in operators of libtorch
/// For types and devices that the fused loops do not know; computes what they compute
/// (simd/quantize_train.h). One form for the whole tensor (axis -1), or one for each position of
/// the axis.
/// @{

/// The quantized values, of the input's type; NaN stays NaN.
[[nodiscard]] Tensor quantize_composed(const Tensor& input,
                                       const std::vector<simd::QuantizerForm>& forms,
                                       std::int64_t axis);

struct ComposedGradient {
  Tensor input;                          ///< the gradient where the input is within the limits
  std::vector<QuantizerSums> sums = {};  ///< one for each form
};

/// What the gradient of the output means for the input and for what is learned.
[[nodiscard]] ComposedGradient differentiate_composed(const Tensor& gradient, const Tensor& input,
                                                      const std::vector<simd::QuantizerForm>& forms,
                                                      std::int64_t axis);

/// @}

}  // namespace espalier::exec
