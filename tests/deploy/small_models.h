#pragma once

#include <string>

#include "espalier/ir/graph.h"

namespace espalier::deploy {

/// input [N, 8, 8, 8] -> conv1 (16 channels, 3x3) -> relu1 -> conv2 (16, 3x3) -> relu2 -> pool
/// (global average) -> flatten -> fc (10 classes) -> logits; seeded weights.
[[nodiscard]] ir::Graph float_net();

struct QuantizedNetOptions {
  bool quantize_second = true;  ///< conv2 too; else it stays in float, and pool reads floats
};
/// float_net() in QDQ form with fixed ranges: u8 activations, s8 weights per channel, int32 biases.
/// Node names are those of float_net().
[[nodiscard]] ir::Graph quantized_net(const QuantizedNetOptions& options = {});

/// input -> conv0 -> relu0 -> conv1 -> add (with relu0) -> relu -> pool -> flatten -> logits [N,
/// 8], 8 channels, in QDQ form: the quantizer "q_first" stands between conv1 and add.
[[nodiscard]] ir::Graph quantized_residual_net();

}  // namespace espalier::deploy
