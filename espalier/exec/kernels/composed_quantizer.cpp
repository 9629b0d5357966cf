#include "espalier/exec/kernels/composed_quantizer.h"

#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/round.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

namespace espalier::exec {
namespace {

Tensor is_number(const Tensor& values) {
  return at::isnan(values).logical_not();
}

/// Forms as tensors that broadcast over `like`, for the way in operators of libtorch.
struct Broadcast {
  Broadcast(const std::vector<simd::QuantizerForm>& forms, const Tensor& like, std::int64_t axis) {
    std::vector<float> scales;
    std::vector<float> zeros;
    std::vector<float> starts;
    std::vector<float> ends;
    for (const simd::QuantizerForm& form : forms) {
      scales.push_back(form.scale);
      zeros.push_back(form.zero);
      starts.push_back(form.low + form.low_edge);
      ends.push_back(form.high - form.high_edge);
    }
    std::vector<std::int64_t> sizes;
    if (axis >= 0) {
      sizes.assign(static_cast<std::size_t>(like.dim()), 1);
      sizes[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(forms.size());
    }
    const at::ScalarType type = like.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const auto spread = [&](const std::vector<float>& numbers) {
      return at::tensor(numbers).to(like.device(), type).reshape(sizes);
    };
    scale = spread(scales);
    zero = spread(zeros);
    from = spread(starts);
    to = spread(ends);
    const Tensor quotient = like.to(type) / scale;
    number = at::where(is_number(quotient), quotient, 0.0);
    place = number + zero;
    rounded = at::round(number);
    clamped = at::clamp(rounded + zero, forms.front().low, forms.front().high);
  }
  Tensor scale;
  Tensor zero;
  Tensor from;  ///< places inside: from here
  Tensor to;    ///< up to here
  Tensor number;
  Tensor place;
  Tensor rounded;
  Tensor clamped;
};

}  // namespace

Tensor quantize_composed(const Tensor& input, const std::vector<simd::QuantizerForm>& forms,
                         std::int64_t axis) {
  const Broadcast lanes(forms, input, axis);
  const Tensor value = ((lanes.clamped - lanes.zero) * lanes.scale).to(input.scalar_type());
  return at::where(is_number(input), value, input);
}

ComposedGradient differentiate_composed(const Tensor& gradient, const Tensor& input,
                                        const std::vector<simd::QuantizerForm>& forms,
                                        std::int64_t axis) {
  const Broadcast lanes(forms, input, axis);
  const Tensor above_limit = lanes.place > lanes.to;
  const Tensor below_limit = lanes.place < lanes.from;
  const Tensor inside = at::logical_not(at::logical_or(above_limit, below_limit));
  const Tensor g = gradient.to(lanes.place.scalar_type());
  const Tensor residual = lanes.rounded - lanes.number;
  std::vector<std::int64_t> axes;
  for (std::int64_t other = 0; other < input.dim(); ++other) {
    if (other != axis) axes.push_back(other);
  }
  const auto total = [&](const Tensor& mask, const Tensor& values) {
    const Tensor kept = at::where(mask, values, 0.0);
    const Tensor sum = axes.empty() ? kept : kept.sum(axes, /*keepdim=*/false, at::kDouble);
    return sum.to(at::kCPU, at::kDouble).reshape({-1}).contiguous();
  };
  const Tensor above = total(above_limit, g);
  const Tensor below = total(below_limit, g);
  const Tensor rounding = total(inside, g * residual);
  std::vector<QuantizerSums> sums(forms.size());
  for (std::size_t index = 0; index < sums.size(); ++index) {
    sums[index] = {above.const_data_ptr<double>()[index], below.const_data_ptr<double>()[index],
                   rounding.const_data_ptr<double>()[index]};
  }
  return {at::where(inside, gradient, 0.0), std::move(sums)};
}

}  // namespace espalier::exec
