#include "espalier/passes/bias_codes.h"

#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/nextafter.h>
#include <ATen/ops/round.h>
#include <ATen/ops/where.h>

#include "espalier/base/check.h"

namespace espalier::passes {
namespace {

/// Largest float32 below 2^31.
constexpr double kMaxCode = 2147483520.0;

}  // namespace

Tensor bias_scale(const Tensor& input_scale, const Tensor& weight_scale, std::int64_t outputs) {
  const Tensor scale =
      input_scale.to(at::kFloat).reshape({-1}) * weight_scale.to(at::kFloat).reshape({-1});
  base::invariant(scale.numel() > 0 && outputs % scale.numel() == 0,
                  "{} bias scales for {} output channels", scale.numel(), outputs);
  return scale.numel() == 1 ? scale : scale.repeat({outputs / scale.numel()});
}

Tensor bias_codes(const Tensor& bias, const Tensor& scale) {
  const Tensor values = bias.to(at::kFloat);
  const Tensor quotient = values.to(at::kDouble) / scale.to(at::kDouble);
  Tensor codes = at::clamp(at::round(quotient), -kMaxCode, kMaxCode).to(at::kFloat);
  // Codes beyond 2^23: the quotient of a product rounded to float32 can miss by one float32.
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float direction : {-kInfinity, kInfinity}) {
    const Tensor near = at::nextafter(codes, at::full_like(codes, direction));
    const Tensor better = (codes * scale).ne(values).logical_and((near * scale).eq(values));
    codes = at::where(better.logical_and(codes.abs().ge(1 << 22)), near, codes);
  }
  return at::clamp(codes, -kMaxCode, kMaxCode).to(at::kInt);
}

Tensor bias_values(const Tensor& codes, const Tensor& scale) {
  return codes.to(at::kFloat) * scale;
}

}  // namespace espalier::passes
