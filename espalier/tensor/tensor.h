#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>

namespace espalier {

/// The tensor of the whole program: libtorch's, by one name.
using Tensor = at::Tensor;

}  // namespace espalier
