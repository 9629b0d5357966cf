
#include <optional>
#include <stdexcept>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/exec/kernels/element_type.h"
#include "espalier/exec/kernels/factories.h"
#include "espalier/tensor/dtype.h"

namespace espalier::exec {
namespace {

using tensor::DType;

/// Numbers of ONNX's TensorProto.DataType.
std::optional<DType> dtype_of_number(std::int64_t number) {
  switch (number) {
    case 1:
      return DType::Float32;
    case 2:
      return DType::UInt8;
    case 3:
      return DType::Int8;
    case 4:
      return DType::UInt16;
    case 5:
      return DType::Int16;
    case 6:
      return DType::Int32;
    case 7:
      return DType::Int64;
    case 9:
      return DType::Bool;
    case 10:
      return DType::Float16;
    case 11:
      return DType::Float64;
    case 12:
      return DType::UInt32;
    case 13:
      return DType::UInt64;
    case 16:
      return DType::BFloat16;
    default:
      return std::nullopt;
  }
}

/// Converts to a type of the model. Floating results stay in the type in which the program
/// computes; a narrower type of the model rounds on the way.
Tensor cast(const Tensor& input, at::ScalarType wanted, at::ScalarType computed) {
  if (!c10::isFloatingType(wanted)) return input.to(wanted);
  const bool narrows = c10::elementSize(wanted) < c10::elementSize(computed);
  return (narrows ? input.to(wanted) : input).to(computed);
}

}  // namespace

DType attribute_dtype(const ir::Node& node, std::string_view attribute, DType fallback) {
  if (!node.has(attribute)) return fallback;
  const std::int64_t number = node.get_int(attribute);
  const auto dtype = dtype_of_number(number);
  if (!dtype) {
    throw base::UnsupportedError({.what = fmt::format("attribute '{}'", attribute),
                                  .where = node.label(),
                                  .got = fmt::format("element type {}", number),
                                  .expected = "a number type of at least 8 bits, or bool"});
  }
  return *dtype;
}

at::ScalarType computed_type(DType dtype, const CompileOptions& options) {
  return *tensor::to_scalar_type(tensor::is_floating(dtype) ? options.dtype : dtype);
}

Kernel make_cast(const KernelRequest& request) {
  const DType dtype = attribute_dtype(request.node, "to", DType::Undefined);
  if (dtype == DType::Undefined) throw std::invalid_argument("attribute 'to' is missing");
  return [wanted = *tensor::to_scalar_type(dtype),
          computed = *tensor::to_scalar_type(request.options.dtype)](Call& call) {
    call.outputs[0] = cast(call.inputs[0], wanted, computed);
  };
}

Kernel make_cast_like(const KernelRequest& request) {
  const ir::Value* like = request.node.input(1);
  const DType declared = like == nullptr ? DType::Undefined : like->type().dtype;
  return [declared = tensor::to_scalar_type(declared),
          computed = *tensor::to_scalar_type(request.options.dtype)](Call& call) {
    call.outputs[0] =
        cast(call.inputs[0], declared.value_or(call.inputs[1].scalar_type()), computed);
  };
}

}  // namespace espalier::exec
