#include "espalier/onnx/elem_type.h"

#include <array>
#include <utility>

#include <onnx/onnx_pb.h>

namespace espalier::onnx {
namespace {

using ::onnx::TensorProto;
using tensor::DType;

constexpr std::array kPairs{
    std::pair{TensorProto::FLOAT, DType::Float32},
    std::pair{TensorProto::DOUBLE, DType::Float64},
    std::pair{TensorProto::FLOAT16, DType::Float16},
    std::pair{TensorProto::BFLOAT16, DType::BFloat16},
    std::pair{TensorProto::INT8, DType::Int8},
    std::pair{TensorProto::UINT8, DType::UInt8},
    std::pair{TensorProto::INT16, DType::Int16},
    std::pair{TensorProto::UINT16, DType::UInt16},
    std::pair{TensorProto::INT32, DType::Int32},
    std::pair{TensorProto::UINT32, DType::UInt32},
    std::pair{TensorProto::INT64, DType::Int64},
    std::pair{TensorProto::UINT64, DType::UInt64},
    std::pair{TensorProto::BOOL, DType::Bool},
    std::pair{TensorProto::STRING, DType::String},
};

}  // namespace

tensor::DType dtype_of(std::int32_t elem_type) {
  for (const auto& [number, dtype] : kPairs) {
    if (number == elem_type) return dtype;
  }
  const bool defined =
      ::onnx::TensorProto_DataType_IsValid(elem_type) && elem_type != TensorProto::UNDEFINED;
  return defined ? DType::Other : DType::Undefined;
}

std::int32_t elem_type_of(tensor::DType dtype) {
  for (const auto& [number, candidate] : kPairs) {
    if (candidate == dtype) return number;
  }
  return TensorProto::UNDEFINED;
}

}  // namespace espalier::onnx
