#include "espalier/tensor/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/round.h>
#include <ATen/ops/tensor.h>

#include "espalier/base/check.h"

namespace espalier::tensor {
namespace {

void check_fit(const QuantParams& params, const Tensor& like) {
  const bool fits = params.axis < 0 ? params.scale.size() == 1
                                    : params.axis < like.dim() &&
                                          static_cast<std::int64_t>(params.scale.size()) ==
                                              like.size(params.axis);
  base::invariant(fits && params.scale.size() == params.zero_point.size(),
                  "quantizer parameters do not fit: {} scales, {} zero points, axis {}, rank {}",
                  params.scale.size(), params.zero_point.size(), params.axis, like.dim());
}

/// Broadcasts per-channel parameters along `axis` of a tensor of `rank` dimensions.
Tensor along_axis(const Tensor& vector, int axis, std::int64_t rank) {
  if (axis < 0) return vector.squeeze(0);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(rank), 1);
  sizes[static_cast<std::size_t>(axis)] = vector.size(0);
  return vector.reshape(sizes);
}

Tensor scale_tensor(const QuantParams& params, const Tensor& like) {
  return along_axis(at::tensor(params.scale), params.axis, like.dim()).to(like.device());
}

Tensor zero_tensor(const QuantParams& params, const Tensor& like) {
  return along_axis(at::tensor(params.zero_point), params.axis, like.dim()).to(like.device());
}

}  // namespace

std::int64_t code_headroom(std::int64_t qmin, std::int64_t qmax) {
  constexpr std::int64_t kLargest = 64;
  const std::int64_t reach = std::max(-qmin, qmax);
  std::int64_t room = 1;
  while (2 * room * reach <= kLargest) room *= 2;
  return room;
}

std::int64_t QuantGrid::qmin() const {
  if (!is_signed) return 0;
  const std::int64_t half = std::int64_t{1} << (bits - 1 - (reduced ? 1 : 0));
  return narrow ? -(half - 1) : -half;
}

std::int64_t QuantGrid::qmax() const {
  const int effective = bits - (reduced ? 1 : 0);
  return (std::int64_t{1} << (is_signed ? effective - 1 : effective)) - 1;
}

ScaleAndZero scale_for_range(double low, double high, const QuantGrid& grid, bool symmetric) {
  base::check(std::isfinite(low) && std::isfinite(high),
              "cannot quantize a range that is not finite: got [{}, {}]", low, high);
  low = std::min(low, 0.0);
  high = std::max(high, 0.0);
  const auto qmin = static_cast<double>(grid.qmin());
  const auto qmax = static_cast<double>(grid.qmax());
  const std::int32_t middle =
      grid.is_signed ? 0 : static_cast<std::int32_t>((grid.qmin() + grid.qmax() + 1) / 2);
  const double span = symmetric ? qmax - middle : qmax - qmin;
  const double width = symmetric ? std::max(-low, high) : high - low;
  const auto scale = static_cast<float>(width / span);
  const auto neutral = [&] {
    return std::int32_t{symmetric ? middle
                                  : static_cast<std::int32_t>(std::max(qmin, std::min(0.0, qmax)))};
  };
  if (!(scale >= std::numeric_limits<float>::min()) || !std::isfinite(scale))
    return {1.0F, neutral()};
  if (symmetric) return {scale, middle};
  const double zero = std::nearbyint(qmin - low / static_cast<double>(scale));
  return {scale, static_cast<std::int32_t>(std::clamp(zero, qmin, qmax))};
}

Tensor quantize(const Tensor& values, const QuantParams& params) {
  check_fit(params, values);
  const Tensor scale = scale_tensor(params, values);
  const Tensor zero = zero_tensor(params, values);
  const Tensor scaled = at::nan_to_num(at::round(values.to(at::kFloat) / scale), 0.0);
  return at::clamp(scaled + zero.to(at::kFloat), static_cast<double>(params.grid.qmin()),
                   static_cast<double>(params.grid.qmax()))
      .to(at::kInt);
}

Tensor dequantize(const Tensor& codes, const QuantParams& params) {
  check_fit(params, codes);
  return (codes.to(at::kInt) - zero_tensor(params, codes)).to(at::kFloat) *
         scale_tensor(params, codes);
}

Tensor fake_quantize(const Tensor& values, const QuantParams& params) {
  return dequantize(quantize(values, params), params);
}

}  // namespace espalier::tensor
