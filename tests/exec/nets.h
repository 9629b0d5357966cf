#pragma once

#include <string>

#include "espalier/ir/graph.h"
#include "espalier/tensor/tensor.h"

namespace espalier::kit {

/// A residual network with everything that regions fuse: convolutions (one depthwise), BatchNorm,
/// ReLU, Clip, an addition, average pooling, Gemm. Input "x" [N, 3, 12, 12], output "y" [N, 5].
/// BatchNorm statistics are not trivial.
[[nodiscard]] ir::Graph residual_net();

/// A batch for it, depending on the seed alone.
[[nodiscard]] Tensor images(std::int64_t count, std::uint64_t seed = 1);

}  // namespace espalier::kit
