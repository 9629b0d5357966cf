#pragma once

#include <span>
#include <string_view>

#include "espalier/ops/facts.h"

namespace espalier::ops {

/// @name Inputs of FakeQuantize
/// @{
inline constexpr unsigned kQuantizedValue = 0;
inline constexpr unsigned kScale = 1;
inline constexpr unsigned kZeroPoint = 2;
inline constexpr unsigned kEstimatorState = 3;
/// @}

/// How a FakeQuantize node finds its parameters while it is trained: attribute "estimator". Ports
/// that are `learned` hold parameters, ports that are `observed` hold buffers; both are float32.
struct Estimator {
  std::string_view name;
  PortSet learned = kNoPorts;
  PortSet observed = kNoPorts;
  /// One scale per index of an axis is possible.
  bool per_channel = false;
  bool for_weights = false;
  bool for_activations = false;
  /// What input 3 holds, for documentation; empty: the node has none.
  std::string_view state = {};
};

/// The closed table, by name:
/// abs_max                  s = max|v| / span of the value at hand, weights at every call
///                          (activations: while training; evaluation uses the stored scale)
/// lsq                      learned scale (Esser et al., ICLR 2020, arXiv:1902.08153)
/// lsq_plus                 learned scale and offset b (Bhalgat et al., CVPRW 2020,
///                          arXiv:2004.09576); zero_point = round(-b / s), so that 0 stays exact
/// moving_average_abs_max   s = accum / weight / span, accum' = r accum + max|v|, weight' = r
/// weight
///                          + 1: both start at zero or with the calibrated range
/// moving_average_min_max   the same of minimum and maximum (Jacob et al., CVPR 2018)
/// pact                     learned clip value (Choi et al., arXiv:1805.06085)
/// range_abs_max            the largest max|v| of the last `window` batches
/// Parameters that are derived from others (the scale of pact, the zero point of lsq_plus) count as
/// observed. `span` is qmax - zero_point, so that the range is [-m, m], or [0, m] when the zero
/// point is qmin.
[[nodiscard]] std::span<const Estimator> estimators();

/// The row of that name, or null.
[[nodiscard]] const Estimator* find_estimator(std::string_view name);

/// The estimator of a FakeQuantize node; null for other nodes and for fixed parameters. Throws
/// UserError naming the node when the attribute names none.
[[nodiscard]] const Estimator* estimator_of(const ir::Node& node);

}  // namespace espalier::ops
