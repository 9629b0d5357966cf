#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <c10/core/ScalarType.h>

namespace espalier::tensor {

/// Element types, named as ONNX names them. String and the 4-bit types exist in models only; no
/// tensor holds them.
enum class DType {
  Undefined,
  Float32,
  Float64,
  Float16,
  BFloat16,
  Int8,
  UInt8,
  Int16,
  UInt16,
  Int32,
  UInt32,
  Int64,
  UInt64,
  Bool,
  String,
  Other
};

/// Lower-case name: "float32", "int8", "bool", ...
[[nodiscard]] std::string_view to_string(DType dtype);

/// The libtorch type, or nothing for types that no tensor can hold.
[[nodiscard]] std::optional<at::ScalarType> to_scalar_type(DType dtype);
/// Inverse of to_scalar_type; Other for types that ONNX lacks.
[[nodiscard]] DType from_scalar_type(at::ScalarType type);

/// Bytes of an element; 0 for Undefined, String and Other.
[[nodiscard]] std::int64_t element_size(DType dtype);
[[nodiscard]] bool is_floating(DType dtype);

}  // namespace espalier::tensor
