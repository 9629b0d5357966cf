#pragma once

#include <span>
#include <vector>

#include "espalier/exec/kernels/simd/quantize_train.h"
#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// The members of quantizers' forms, in their order, as a tensor [n, 6]: steps of a program hand
/// each other tensors only.
[[nodiscard]] Tensor forms_tensor(std::span<const simd::QuantizerForm> forms);
[[nodiscard]] std::vector<simd::QuantizerForm> forms_from(const Tensor& tensor);

/// (qmin + codes - zero) * scale as float32, in the codes' layout. `codes` uint8.
[[nodiscard]] Tensor dequantize_bytes(const Tensor& codes, const simd::QuantizerForm& form);

}  // namespace espalier::exec
