#pragma once

#include <cstdint>
#include <string>

#include "espalier/tensor/dtype.h"

namespace espalier::onnx {

/// Our type of an ONNX TensorProto.DataType; Other for types that only opaque nodes carry,
/// Undefined for 0 and for numbers that ONNX does not define.
[[nodiscard]] tensor::DType dtype_of(std::int32_t elem_type);
/// The ONNX number; 0 for Undefined and Other.
[[nodiscard]] std::int32_t elem_type_of(tensor::DType dtype);

}  // namespace espalier::onnx
