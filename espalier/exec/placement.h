#pragma once

#include <set>

#include "espalier/exec/parameters.h"
#include "espalier/ir/graph.h"

namespace espalier::exec {

/// Where values live. Host values are shape arithmetic: computed from constants and from the
/// results of Shape and Size alone. They stay on the CPU, in integers and at least float32,
/// whatever the program's device and dtype; all other values are data.
class Placement {
 public:
  Placement(const ir::Graph& graph, const ParameterSet& owned);

  [[nodiscard]] bool is_host(const ir::Value& value) const { return host_.contains(&value); }
  /// True when every output of the node is a host value.
  [[nodiscard]] bool is_host(const ir::Node& node) const;

 private:
  std::set<const ir::Value*> host_;
};

/// True for operators that give facts about their input's shape, never its data.
[[nodiscard]] bool reads_shape_only(const ir::Node& node);

}  // namespace espalier::exec
