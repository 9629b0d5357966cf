#pragma once

#include <string>

#include "espalier/ir/graph.h"

namespace espalier::analysis {

/// Content id of a model: 16 hexadecimal digits over operator sets, nodes, attributes, names and
/// the bits of all initializers; not over types, shapes and file facts (producer, documentation,
/// metadata). Plans carry it, so that they are applied to the model they were made for and to no
/// other.
[[nodiscard]] std::string model_id(const ir::Graph& graph);

}  // namespace espalier::analysis
