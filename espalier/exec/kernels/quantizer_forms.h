#pragma once

#include <span>
#include <vector>

#include "espalier/exec/kernels/simd/quantize_train.h"
#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// Parameters of quantizers as a tensor [n, 4] of scale, zero point, qmin and qmax: steps of a
/// program hand each other tensors only.
[[nodiscard]] Tensor forms_tensor(std::span<const simd::QuantizerForm> forms);
[[nodiscard]] std::vector<simd::QuantizerForm> forms_from(const Tensor& tensor);

/// (qmin + codes - zero) * scale as float32, in the codes' layout. `codes` uint8.
[[nodiscard]] Tensor dequantize_bytes(const Tensor& codes, const simd::QuantizerForm& form);

}  // namespace espalier::exec
