#pragma once

#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// The output of a classifier as [batch, classes]: an output [batch, classes, 1, ...], of a network
/// that ends in pooling or a convolution, loses its dimensions of size 1. Any other comes back as
/// it is.
[[nodiscard]] Tensor class_scores(const Tensor& output);

}  // namespace espalier::recipe
