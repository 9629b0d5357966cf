#include "espalier/onnx/value_type.h"

#include "espalier/onnx/elem_type.h"

namespace espalier::onnx {

ir::TypeInfo read_type(const ::onnx::TypeProto& proto) {
  if (!proto.has_tensor_type()) return {};
  ir::TypeInfo type{.dtype = dtype_of(proto.tensor_type().elem_type()), .shape = std::nullopt};
  if (!proto.tensor_type().has_shape()) return type;
  tensor::Shape& shape = type.shape.emplace();
  for (const auto& dim : proto.tensor_type().shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() >= 0) {
      shape.push_back({.size = dim.dim_value(), .symbol = {}});
    } else {
      shape.push_back({.size = std::nullopt, .symbol = dim.dim_param()});
    }
  }
  return type;
}

void write_type(const ir::TypeInfo& type, ::onnx::TypeProto& proto) {
  auto& tensor_type = *proto.mutable_tensor_type();
  tensor_type.set_elem_type(elem_type_of(type.dtype));
  if (!type.shape) return;
  auto& shape = *tensor_type.mutable_shape();
  for (const tensor::Dim& dim : *type.shape) {
    auto& written = *shape.add_dim();
    if (dim.known()) {
      written.set_dim_value(*dim.size);
    } else if (!dim.symbol.empty()) {
      written.set_dim_param(dim.symbol);
    }
  }
}

}  // namespace espalier::onnx
