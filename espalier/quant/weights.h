#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "espalier/quant/plan.h"
#include "espalier/tensor/tensor.h"

namespace espalier::quant {

struct WeightOptions {
  tensor::QuantGrid grid{.bits = 8, .is_signed = true, .narrow = true};
  int axis = 0;  ///< channel axis; -1: one scale for the whole tensor
  /// Choose each range by the least squared error instead of the largest magnitude.
  bool least_error = true;
  /// Importance of each element along `importance_axis` (E[x^2] of the input channel); empty:
  /// equal.
  std::span<const double> importance = {};
  int importance_axis = 1;
};

/// Symmetric scales of a weight, zero point 0. A channel of zeros gets the smallest scale of the
/// others, so that its bias keeps its precision. Throws UserError naming `name` for NaN or
/// infinities.
[[nodiscard]] WeightPlan plan_weight(const Tensor& weight, std::string_view name,
                                     const WeightOptions& options);

/// The weight as its codes give it: quantized as planned, then dequantized.
[[nodiscard]] Tensor rounded_weight(const Tensor& weight, const WeightPlan& plan);

/// Widens the scales of channels whose bias would not fit an int32 with scale s_x * s_w (2^30,
/// which leaves room for the sum). Returns how many were widened.
int fit_bias(WeightPlan& plan, const Tensor& bias, float input_scale);

}  // namespace espalier::quant
