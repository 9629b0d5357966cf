#include "espalier/tensor/dtype.h"

#include <array>

namespace espalier::tensor {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::optional<at::ScalarType> scalar_type;
  std::int64_t size;
  bool floating;
};

constexpr std::array kRows{
    Row{DType::Undefined, "undefined", std::nullopt, 0, false},
    Row{DType::Float32, "float32", at::kFloat, 4, true},
    Row{DType::Float64, "float64", at::kDouble, 8, true},
    Row{DType::Float16, "float16", at::kHalf, 2, true},
    Row{DType::BFloat16, "bfloat16", at::kBFloat16, 2, true},
    Row{DType::Int8, "int8", at::kChar, 1, false},
    Row{DType::UInt8, "uint8", at::kByte, 1, false},
    Row{DType::Int16, "int16", at::kShort, 2, false},
    Row{DType::UInt16, "uint16", at::ScalarType::UInt16, 2, false},
    Row{DType::Int32, "int32", at::kInt, 4, false},
    Row{DType::UInt32, "uint32", at::ScalarType::UInt32, 4, false},
    Row{DType::Int64, "int64", at::kLong, 8, false},
    Row{DType::UInt64, "uint64", at::ScalarType::UInt64, 8, false},
    Row{DType::Bool, "bool", at::kBool, 1, false},
    Row{DType::String, "string", std::nullopt, 0, false},
    Row{DType::Other, "other", std::nullopt, 0, false},
};

const Row& row_of(DType dtype) {
  return kRows[static_cast<std::size_t>(dtype)];
}

}  // namespace

std::string_view to_string(DType dtype) {
  return row_of(dtype).name;
}

std::optional<at::ScalarType> to_scalar_type(DType dtype) {
  return row_of(dtype).scalar_type;
}

DType from_scalar_type(at::ScalarType type) {
  for (const Row& row : kRows) {
    if (row.scalar_type == type) return row.dtype;
  }
  return DType::Other;
}

std::int64_t element_size(DType dtype) {
  return row_of(dtype).size;
}

bool is_floating(DType dtype) {
  return row_of(dtype).floating;
}

}  // namespace espalier::tensor
