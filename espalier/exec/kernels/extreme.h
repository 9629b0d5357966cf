#pragma once

#include <cstdint>

#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// Which element wins, and which of equal ones.
struct ExtremeSettings {
  bool largest = true;
  bool last = false;  ///< among equal elements the last one instead of the first
};

/// Index of the extreme element along an axis, the axis dropped.
[[nodiscard]] Tensor index_of_extreme(const Tensor& input, std::int64_t axis,
                                      const ExtremeSettings& settings = {});

}  // namespace espalier::exec
