#include "espalier/onnx/constant_node.h"

#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

namespace espalier::onnx {
namespace {

struct Reader {
  std::optional<Tensor> operator()(const Tensor& value) const { return value; }
  std::optional<Tensor> operator()(std::int64_t value) const {
    return at::scalar_tensor(value, at::kLong);
  }
  std::optional<Tensor> operator()(float value) const {
    return at::scalar_tensor(value, at::kFloat);
  }
  std::optional<Tensor> operator()(const ir::Ints& values) const {
    return at::tensor(values, at::kLong);
  }
  std::optional<Tensor> operator()(const ir::Floats& values) const {
    return at::tensor(values, at::kFloat);
  }
  std::optional<Tensor> operator()(const std::string&) const { return std::nullopt; }
  std::optional<Tensor> operator()(const ir::Strings&) const { return std::nullopt; }
  std::optional<Tensor> operator()(const ir::OpaqueAttribute&) const { return std::nullopt; }
};

}  // namespace

std::optional<Tensor> constant_value(const ir::Attributes& attributes) {
  for (const char* name : {"value", "value_float", "value_floats", "value_int", "value_ints"}) {
    const auto place = attributes.find(name);
    if (place != attributes.end()) return std::visit(Reader{}, place->second);
  }
  return std::nullopt;
}

}  // namespace espalier::onnx
