#pragma once

#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// The root of order `order` of elements of at least 0. Its slope at 0 is endless, and 0 times it
/// no number: there the gradient is 0, a subgradient of the norm behind which roots of sums stand.
[[nodiscard]] Tensor root_of(const Tensor& powers, double order = 2);

}  // namespace espalier::exec
