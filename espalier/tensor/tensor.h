#pragma once

#include <ATen/core/Tensor.h>

namespace espalier {

/// The tensor of the whole program: libtorch's, by one name. Arithmetic on whole tensors (`a + b`)
/// needs <ATen/TensorOperators.h> besides, 1.6 s more a file in dev.
using Tensor = at::Tensor;

}  // namespace espalier
