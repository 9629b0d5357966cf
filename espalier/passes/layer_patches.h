#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/tensor/tensor.h"

namespace espalier::passes {

/// A layer that is linear in its weight, seen as a matrix product over output positions.
struct LinearLayer {
  const ir::Node* node = nullptr;
  std::int64_t groups = 1;
  std::int64_t filter_axis = 0;  ///< of the weight
  bool convolves = false;
  bool transposed = false;  ///< the weight is [inputs, outputs]
};

/// The layer of a node; nothing for a node without a weight that multiplies activations. `reason`
/// is set where it has one, but not of a form that is handled.
[[nodiscard]] std::optional<LinearLayer> linear_layer(const ir::Node& node, std::string& reason);

/// Output positions: of each, the row of the batch and (convolutions) its place.
struct Positions {
  std::vector<std::int64_t> rows = {};
  std::vector<std::int64_t> heights = {};  ///< empty where the layer does not convolve
  std::vector<std::int64_t> widths = {};
};

/// `count` positions of each sample of an output, drawn with the seed; all where there are no more.
[[nodiscard]] Positions draw_positions(const LinearLayer& layer, const Tensor& output,
                                       std::int64_t count, std::uint64_t seed);

/// What the layer multiplies at these positions of its output: [groups, positions, elements],
/// float64. `output` gives the sizes that padding follows from.
[[nodiscard]] Tensor patches_at(const LinearLayer& layer, const Tensor& input, const Tensor& output,
                                const Positions& positions);

/// The values of an output at these positions: [positions, channels], float64.
[[nodiscard]] Tensor outputs_at(const LinearLayer& layer, const Tensor& output,
                                const Positions& positions);

/// The weight as [groups, elements, filters of a group], float64.
[[nodiscard]] Tensor to_matrix(const LinearLayer& layer, const Tensor& weight);
/// Back to the sizes and type of `like`.
[[nodiscard]] Tensor from_matrix(const LinearLayer& layer, const Tensor& matrix,
                                 const Tensor& like);

}  // namespace espalier::passes
