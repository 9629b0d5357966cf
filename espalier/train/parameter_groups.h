#pragma once

#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::train {

/// Parameters that are updated alike.
struct ParameterGroup {
  std::vector<std::string> names;
  double weight_decay = 0;
  double lr_scale = 1;
  bool relative = false;  ///< steps of Adam are shares of the parameter's size, not absolute
};

/// Overrides for the parameters whose name matches a glob; what is left open stays as without the
/// rule.
struct GroupRule {
  std::string pattern;
  std::optional<double> weight_decay = std::nullopt;
  std::optional<double> lr_scale = std::nullopt;
};

struct GroupOptions {
  double weight_decay = 0;
  bool decay_norms = true;   ///< false: scale and offset of normalizations get no weight decay
  bool decay_biases = true;  ///< false: biases of convolutions and matrix products get none
  /// Learned scales, offsets and clip values of quantizers: they are no weights, so that they get
  /// no weight decay unless a rule says so, and may learn at a pace of their own. Scales and clip
  /// values, which are positive and small, are `relative`.
  double quantizer_lr_scale = 1;
  std::vector<GroupRule> rules = {};  ///< the first match decides
};

/// Sorts the parameters of a graph into groups by what its nodes use them for. Throws UserError for
/// a rule that matches nothing or a negative number.
[[nodiscard]] std::vector<ParameterGroup> group_parameters(
    const ir::Graph& graph, const std::vector<std::string>& parameters,
    const GroupOptions& options);

}  // namespace espalier::train
