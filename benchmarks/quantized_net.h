#pragma once

#include <string>

#include "espalier/ir/graph.h"
#include "espalier/tensor/tensor.h"

namespace espalier::benchmarks {

/// A network of the zoo with seeded random weights, ready to be calibrated: BatchNormalization
/// folded, shapes inferred.
[[nodiscard]] ir::Graph prepare_net(const ir::Graph& graph);

/// The float file and the INT8 file of a network, calibrated on the images.
struct NetFiles {
  std::string float_bytes;
  std::string quantized_bytes;
};
[[nodiscard]] NetFiles quantize_net(const ir::Graph& graph, const Tensor& images);

}  // namespace espalier::benchmarks
