#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/round.h>

#include "espalier/exec/kernels/codes.h"
#include "espalier/exec/kernels/convolve.h"
#include "espalier/exec/kernels/factories.h"

namespace espalier::exec {
namespace {

// Sums of products of codes stay below 2^53, so that float64 computes them exactly.

/// Codes less their zero point, which is one number or one an index of `axis`.
Tensor centre(const Tensor& codes, const Tensor& zero, std::int64_t axis) {
  const Tensor wide = codes.to(at::kDouble);
  if (!zero.defined()) return wide;
  const Tensor shift = zero.to(codes.device(), at::kDouble);
  if (shift.numel() == 1) return wide - shift.reshape({});
  if (shift.dim() > 1) return wide - shift;
  ir::Ints sizes(static_cast<std::size_t>(codes.dim()), 1);
  sizes[static_cast<std::size_t>(axis < 0 ? axis + codes.dim() : axis)] = shift.numel();
  return wide - shift.view(sizes);
}

/// A scale as float64, per tensor or along `axis` of a result of `rank` dimensions.
Tensor spread(const Tensor& scale, std::int64_t axis, const Tensor& like) {
  const Tensor wide = scale.to(like.device(), at::kFloat);
  if (wide.numel() == 1) return wide.reshape({});
  if (wide.dim() > 1) return wide;
  ir::Ints sizes(static_cast<std::size_t>(like.dim()), 1);
  sizes[static_cast<std::size_t>(axis < 0 ? axis + like.dim() : axis)] = wide.numel();
  return wide.view(sizes);
}

/// saturate(round(sum * multiplier) + zero): the requantization of both QLinear operators.
Tensor requantize(const Tensor& sum, const Tensor& multiplier, const Tensor& scale,
                  const Tensor& zero) {
  const Tensor factor = multiplier / scale.to(multiplier.device(), at::kFloat).reshape({});
  const Tensor rounded = at::round(sum.to(at::kFloat) * factor).to(at::kDouble);
  const Tensor shift = zero.to(sum.device(), at::kDouble).reshape({});
  return saturate(rounded + shift, zero.scalar_type());
}

Tensor input_or_none(const Call& call, std::size_t index) {
  return call.has_input(index) ? call.inputs[index] : Tensor();
}

}  // namespace

Kernel make_conv_integer(const KernelRequest& request) {
  return [settings = parse_conv(request.node)](Call& call) {
    const Tensor input = centre(call.inputs[0], input_or_none(call, 2), 1);
    const Tensor weight = centre(call.inputs[1], input_or_none(call, 3), 0);
    call.outputs[0] = convolve(input, weight, {}, settings).to(at::kInt);
  };
}

Kernel make_qlinear_conv(const KernelRequest& request) {
  return [settings = parse_conv(request.node)](Call& call) {
    const Tensor input = centre(call.inputs[0], call.inputs[2], 1);
    const Tensor weight = centre(call.inputs[3], call.inputs[5], 0);
    const Tensor bias = call.has_input(8) ? call.inputs[8].to(at::kDouble) : Tensor();
    const Tensor sum = convolve(input, weight, bias, settings);
    const Tensor multiplier = spread(call.inputs[1], 1, sum) * spread(call.inputs[4], 1, sum);
    call.outputs[0] = requantize(sum, multiplier, call.inputs[6], call.inputs[7]);
  };
}

Kernel make_mat_mul_integer(const KernelRequest&) {
  return [](Call& call) {
    const Tensor left = centre(call.inputs[0], input_or_none(call, 2), -2);
    const Tensor right = centre(call.inputs[1], input_or_none(call, 3), -1);
    call.outputs[0] = at::matmul(left, right).to(at::kInt);
  };
}

Kernel make_qlinear_mat_mul(const KernelRequest&) {
  return [](Call& call) {
    const Tensor left = centre(call.inputs[0], call.inputs[2], -2);
    const Tensor right = centre(call.inputs[3], call.inputs[5], -1);
    const Tensor sum = at::matmul(left, right);
    const Tensor multiplier = spread(call.inputs[1], -2, sum) * spread(call.inputs[4], -1, sum);
    call.outputs[0] = requantize(sum, multiplier, call.inputs[6], call.inputs[7]);
  };
}

}  // namespace espalier::exec
