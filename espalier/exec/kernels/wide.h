#pragma once

#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// The tensor, or its int64 copy when libtorch computes little on its type: 16, 32 and 64-bit
/// unsigned integers. Values of uint64 above 2^63 wrap around.
[[nodiscard]] Tensor widen(const Tensor& tensor);

}  // namespace espalier::exec
