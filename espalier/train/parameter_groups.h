#pragma once

#include <string>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::train {

/// Parameters that are updated alike.
struct ParameterGroup {
  std::vector<std::string> names;
  double weight_decay = 0;
  double lr_scale = 1;
};

/// Overrides for the parameters whose name matches a glob.
struct GroupRule {
  std::string pattern;
  double weight_decay = 0;
  double lr_scale = 1;
};

struct GroupOptions {
  double weight_decay = 0;
  bool decay_norms = true;   ///< false: scale and offset of normalizations get no weight decay
  bool decay_biases = true;  ///< false: biases of convolutions and matrix products get none
  std::vector<GroupRule> rules = {};  ///< the first match decides
};

/// Sorts the parameters of a graph into groups by what its nodes use them for. Throws UserError for
/// a rule that matches nothing or a negative number.
[[nodiscard]] std::vector<ParameterGroup> group_parameters(
    const ir::Graph& graph, const std::vector<std::string>& parameters,
    const GroupOptions& options);

}  // namespace espalier::train
