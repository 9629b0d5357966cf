#include "espalier/exec/placement.h"

#include <algorithm>

namespace espalier::exec {

bool reads_shape_only(const ir::Node& node) {
  return node.is("Shape") || node.is("Size");
}

Placement::Placement(const ir::Graph& graph, const ParameterSet& owned) {
  for (const ir::Value* initializer : graph.initializers()) {
    if (!owned.contains(*initializer)) host_.insert(initializer);
  }
  for (const ir::Node* node : graph.nodes()) {
    const bool host =
        reads_shape_only(*node) ||
        std::all_of(node->inputs().begin(), node->inputs().end(), [&](const ir::Value* input) {
          return input == nullptr || host_.contains(input);
        });
    if (!host) continue;
    for (const ir::Value* output : node->outputs()) {
      if (output != nullptr) host_.insert(output);
    }
  }
}

bool Placement::is_host(const ir::Node& node) const {
  return std::all_of(node.outputs().begin(), node.outputs().end(), [&](const ir::Value* output) {
    return output == nullptr || host_.contains(output);
  });
}

}  // namespace espalier::exec
