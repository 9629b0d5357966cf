#pragma once

#include <c10/core/ScalarType.h>

#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// Smallest and largest code of an integer type.
struct CodeRange {
  double low;
  double high;
};
/// Throws std::invalid_argument for types that hold no codes.
[[nodiscard]] CodeRange code_range(at::ScalarType type);

/// Floating values, already rounded, as codes of a type, values outside clamped.
[[nodiscard]] Tensor saturate(const Tensor& values, at::ScalarType type);

}  // namespace espalier::exec
