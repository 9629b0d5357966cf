#pragma once

#include <set>

#include "espalier/ir/graph.h"

namespace espalier::exec {

/// The initializers that training owns.
struct ParameterSet {
  std::set<const ir::Value*> parameters;  ///< changed by gradients
  std::set<const ir::Value*> buffers;     ///< running statistics

  [[nodiscard]] bool contains(const ir::Value& value) const {
    return parameters.contains(&value) || buffers.contains(&value);
  }
};

/// Floating initializers at trainable ports (also behind FakeQuantize), and those that hold running
/// statistics, as ops/weight.h defines both. Statistics win when an initializer is used as both.
[[nodiscard]] ParameterSet find_parameters(const ir::Graph& graph);

}  // namespace espalier::exec
