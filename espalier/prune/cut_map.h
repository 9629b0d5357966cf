#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "espalier/prune/plan.h"
#include "espalier/tensor/tensor.h"

namespace espalier::prune {

/// What stays of one axis of one initializer.
struct AxisCut {
  std::int64_t axis = 0;
  std::int64_t size = 0;                ///< before the cut
  std::vector<std::int64_t> kept = {};  ///< positions, ascending
  bool operator==(const AxisCut&) const = default;
};

/// What stays of every initializer that loses something, by name. Whoever owns tensors shaped like
/// initializers (momentum, moving averages, quantization state) follows a cut by it.
using CutMap = std::map<std::string, std::vector<AxisCut>, std::less<>>;

/// The cuts of all initializers of a graph.
[[nodiscard]] CutMap cut_map_of(const Removal& removal, const ir::Graph& graph);

/// The part of a tensor that stays, in new memory. Throws UserError when an axis does not have the
/// size that the cut was made for; `name` is the tensor's in the message.
[[nodiscard]] Tensor cut_tensor(const Tensor& tensor, const std::vector<AxisCut>& cuts,
                                std::string_view name);

}  // namespace espalier::prune
