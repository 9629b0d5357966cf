#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "espalier/base/error.h"
#include "espalier/exec/kernels/element_type.h"
#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/size_limit.h"
#include "espalier/exec/kernels/wide.h"

namespace espalier::exec {
namespace {

Tensor constant_of(const ir::Node& node) {
  if (node.has("value")) return node.get_tensor("value");
  if (node.has("value_float")) return at::scalar_tensor(node.get_float("value_float", 0));
  if (node.has("value_int")) return at::scalar_tensor(node.get_int("value_int"), at::kLong);
  if (node.has("value_floats")) return at::tensor(node.get_floats("value_floats", {}));
  if (node.has("value_ints")) return at::tensor(node.get_ints("value_ints", {}), at::kLong);
  throw base::UnsupportedError({.what = "a constant of this kind",
                                .where = node.label(),
                                .expected = "a tensor, a number or a list of numbers"});
}

/// A floating tensor in the program's type, any other as it is.
Tensor in_program_type(const Tensor& tensor, const CompileOptions& options) {
  const auto dtype = *tensor::to_scalar_type(options.dtype);
  return tensor.to(options.device, tensor.is_floating_point() ? dtype : tensor.scalar_type());
}

}  // namespace

Kernel make_constant(const KernelRequest& request) {
  return [value = in_program_type(constant_of(request.node), request.options)](Call& call) {
    call.outputs[0] = value;
  };
}

Kernel make_constant_of_shape(const KernelRequest& request) {
  const Tensor given =
      request.node.has("value") ? request.node.get_tensor("value") : at::zeros({1});
  const Tensor value = in_program_type(given, request.options);
  if (value.numel() != 1) throw std::invalid_argument("value must be one number");
  return [value, shape = IntsInput(request, 0)](Call& call) {
    const ir::Ints sizes = shape.require(call, "shape");
    check_elements(sizes);
    const bool wide = c10::isBarebonesUnsignedType(value.scalar_type());
    const Tensor full = at::full(sizes, widen(value).item(), widen(value).options());
    call.outputs[0] = wide ? full.to(value.scalar_type()) : full;
  };
}

Kernel make_range(const KernelRequest& request) {
  return [device = request.options.device](Call& call) {
    const at::ScalarType type = call.inputs[0].scalar_type();
    const double start = call.inputs[0].item<double>();
    const double limit = call.inputs[1].item<double>();
    const double step = call.inputs[2].item<double>();
    if (step == 0 || !std::isfinite((limit - start) / step)) {
      throw std::invalid_argument("a range without end");
    }
    const double count = std::max(std::ceil((limit - start) / step), 0.0);
    constexpr double kLargest = 1e15;
    const auto elements = static_cast<std::int64_t>(std::min(count, kLargest));
    check_elements(std::array{elements});
    const Tensor places = at::arange(elements, at::TensorOptions(device).dtype(at::kLong));
    call.outputs[0] = (places * call.inputs[2].item() + call.inputs[0].item()).to(type);
  };
}

Kernel make_eye_like(const KernelRequest& request) {
  const std::int64_t diagonal = request.node.get_int("k", 0);
  const auto declared = attribute_dtype(request.node, "dtype", tensor::DType::Undefined);
  std::optional<at::ScalarType> type;
  if (declared != tensor::DType::Undefined) type = computed_type(declared, request.options);
  return [diagonal, type](Call& call) {
    const Tensor& input = call.inputs[0];
    if (input.dim() != 2) throw std::invalid_argument("the input must be a matrix");
    const Tensor rows = at::arange(input.size(0), input.options().dtype(at::kLong)).unsqueeze(1);
    const Tensor columns = at::arange(input.size(1), input.options().dtype(at::kLong));
    call.outputs[0] = (columns - rows == diagonal).to(type.value_or(input.scalar_type()));
  };
}

Kernel make_one_hot(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", -1);
  return [axis](Call& call) {
    const std::int64_t depth = call.inputs[1].to(at::kDouble).item<std::int64_t>();
    if (call.inputs[1].numel() != 1 || depth < 0) {
      throw std::invalid_argument("depth must be one number, not negative");
    }
    const Tensor indices = call.inputs[0].to(at::kLong);
    check_elements(std::array{indices.numel(), depth});
    const std::int64_t along = wrap_axis(axis, indices.dim() + 1);
    const Tensor wrapped = at::where(indices < 0, indices + depth, indices).unsqueeze(along);
    ir::Ints sizes(static_cast<std::size_t>(indices.dim()) + 1, 1);
    sizes[static_cast<std::size_t>(along)] = depth;
    const Tensor classes = at::arange(depth, wrapped.options()).view(sizes);
    const Tensor off = call.inputs[2].select(0, 0);
    const Tensor on = call.inputs[2].select(0, 1);
    call.outputs[0] = at::where(wrapped == classes, on, off);
  };
}

Kernel make_non_zero(const KernelRequest&) {
  return [](Call& call) { call.outputs[0] = at::nonzero(widen(call.inputs[0])).t().contiguous(); };
}

}  // namespace espalier::exec
