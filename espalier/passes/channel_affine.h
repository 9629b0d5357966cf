#pragma once

#include <cstdint>
#include <optional>

#include "espalier/ir/graph.h"

namespace espalier::passes {

/// The map x -> scale[c] * x + shift[c] of every channel c: float64 vectors of equal length.
struct ChannelAffine {
  Tensor scale;
  Tensor shift;
};

/// Output (input) channels of a Conv, ConvTranspose or Gemm whose weight is a constant; 0 for every
/// other node.
[[nodiscard]] std::int64_t num_output_channels(const ir::Node& node);
[[nodiscard]] std::int64_t num_input_channels(const ir::Node& node);

/// What a BatchNormalization computes, from its constant parameters: scale = gamma / sqrt(variance
/// + epsilon), shift = beta - scale * mean. Nothing for other nodes, for batch statistics
/// (training_mode), computed parameters, and results that are not finite.
[[nodiscard]] std::optional<ChannelAffine> batch_norm_affine(const ir::Node& node);

/// Makes a Conv, ConvTranspose, Gemm or BatchNormalization compute `affine` of its output channels:
///
///   W'[o, ...] = scale[o] * W[o, ...]      b'[o] = scale[o] * b[o] + shift[o]
///
/// computed in float64 and cast to the weight's type. A weight with other users is copied. Returns
/// false and changes nothing when the weight or bias is not constant, the channel counts differ,
/// Gemm's C is not one value a column, or a result is not finite in the weight's type. A
/// BatchNormalization takes the map into its gamma and beta.
bool fold_after(ir::Graph& graph, ir::Node& linear, const ChannelAffine& affine);

/// Makes a Conv without padding or a Gemm apply `affine` to its input channels first:
///
///   W'[o, i, ...] = scale[i] * W[o, i, ...]      b'[o] = b[o] + sum_{i, ...} shift[i] * W[o, i,
///   ...]
///
/// with the same refusals, and for a padded Conv unless every shift is zero: a padded zero would
/// not have been shifted.
bool fold_before(ir::Graph& graph, ir::Node& linear, const ChannelAffine& affine);

}  // namespace espalier::passes
