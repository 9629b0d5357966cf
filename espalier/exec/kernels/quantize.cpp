#include <algorithm>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/full.h>
#include <ATen/ops/round.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/exec/kernels/codes.h"
#include "espalier/exec/kernels/element_type.h"
#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"

namespace espalier::exec {
namespace {

using tensor::DType;

/// Where parameters of QuantizeLinear and DequantizeLinear lie.
struct Layout {
  std::int64_t axis = 1;
  std::int64_t block = 0;  ///< elements of `axis` that share a scale; 0: per tensor or per index
};

Layout parse_layout(const ir::Node& node) {
  return {.axis = node.get_int("axis", 1), .block = node.get_int("block_size", 0)};
}

/// Scale or zero point, broadcastable to the data, as float64 on the data's device.
Tensor align(const Tensor& parameter, const Tensor& data, const Layout& layout) {
  const Tensor wide = parameter.to(data.device(), at::kDouble);
  if (wide.numel() == 1 && wide.dim() <= 1) return wide.reshape({});
  const std::int64_t axis = wrap_axis(layout.axis, data.dim());
  if (layout.block > 0) {
    return wide.repeat_interleave(layout.block, axis).narrow(axis, 0, data.size(axis));
  }
  if (wide.dim() != 1) throw std::invalid_argument("scale and zero point must be vectors");
  ir::Ints sizes(static_cast<std::size_t>(data.dim()), 1);
  sizes[static_cast<std::size_t>(axis)] = wide.numel();
  return wide.view(sizes);
}

at::ScalarType code_type(const KernelRequest& request) {
  const DType declared = attribute_dtype(request.node, "output_dtype", DType::Undefined);
  if (declared != DType::Undefined) return *tensor::to_scalar_type(declared);
  const ir::Value* zero = request.node.input(2);
  if (zero == nullptr) return at::kByte;
  const auto type = tensor::to_scalar_type(zero->type().dtype);
  if (!type || c10::isFloatingType(*type)) {
    throw base::UnsupportedError({.what = "codes of this type",
                                  .where = request.node.label(),
                                  .got = std::string(tensor::to_string(zero->type().dtype)),
                                  .expected = "8 or 16-bit integers"});
  }
  return *type;
}

}  // namespace

CodeRange code_range(at::ScalarType type) {
  switch (type) {
    case at::kByte:
      return {0, 255};
    case at::kChar:
      return {-128, 127};
    case at::ScalarType::UInt16:
      return {0, 65535};
    case at::kShort:
      return {-32768, 32767};
    case at::kInt:
      return {-2147483648.0, 2147483647.0};
    default:
      throw std::invalid_argument(fmt::format("codes of type {}", c10::toString(type)));
  }
}

Tensor saturate(const Tensor& values, at::ScalarType type) {
  const CodeRange range = code_range(type);
  const Tensor clamped = at::clamp(values, range.low, range.high);
  return c10::isBarebonesUnsignedType(type) ? clamped.to(at::kLong).to(type) : clamped.to(type);
}

Kernel make_quantize_linear(const KernelRequest& request) {
  const Layout layout = parse_layout(request.node);
  return [layout, type = code_type(request)](Call& call) {
    const Tensor& input = call.inputs[0];
    // The quotient is rounded to float32 first, as engines and tensor::quantize compute it.
    const Tensor scale = align(call.inputs[1], input, layout).to(at::kFloat);
    const Tensor codes = at::round(input.to(at::kFloat) / scale).to(at::kDouble);
    const bool shifted = call.has_input(2);
    const Tensor moved = shifted ? codes + align(call.inputs[2], input, layout) : codes;
    call.outputs[0] = saturate(moved, type);
  };
}

Kernel make_dequantize_linear(const KernelRequest& request) {
  const Layout layout = parse_layout(request.node);
  const auto type = *tensor::to_scalar_type(request.options.dtype);
  return [layout, type](Call& call) {
    const Tensor& codes = call.inputs[0];
    Tensor centred = codes.to(at::kDouble);
    if (call.has_input(2)) centred = centred - align(call.inputs[2], codes, layout);
    const Tensor scale = align(call.inputs[1], codes, layout);
    const at::ScalarType wide = type == at::kDouble ? at::kDouble : at::kFloat;
    call.outputs[0] = (centred.to(wide) * scale.to(wide)).to(type);
  };
}

Kernel make_dynamic_quantize_linear(const KernelRequest&) {
  return [](Call& call) {
    const Tensor input = call.inputs[0].to(at::kFloat);
    const Tensor low = input.min().clamp_max(0);
    const Tensor high = input.max().clamp_min(0);
    const Tensor scale = (high - low) / 255;
    const Tensor zero = at::clamp(at::round(-low / scale), 0, 255);
    call.outputs[0] = saturate(at::round(input / scale) + zero, at::kByte);
    if (call.outputs.size() > 1) call.outputs[1] = scale;
    if (call.outputs.size() > 2) call.outputs[2] = zero.to(at::kByte);
  };
}

}  // namespace espalier::exec
