#include "espalier/exec/parameters.h"

#include "espalier/ops/weight.h"
#include "espalier/tensor/dtype.h"

namespace espalier::exec {

ParameterSet find_parameters(const ir::Graph& graph) {
  ParameterSet found;
  const auto insert = [](std::set<const ir::Value*>& into, const ir::Value* port) {
    const ir::Value* initializer = ops::initializer_behind(port);
    if (initializer == nullptr || !tensor::is_floating(initializer->type().dtype)) return;
    into.insert(initializer);
  };
  for (const ir::Node* node : graph.nodes()) {
    for (const std::size_t port : ops::trainable_inputs(*node)) {
      insert(found.parameters, node->input(port));
    }
    for (const std::size_t port : ops::running_statistics_inputs(*node)) {
      insert(found.buffers, node->input(port));
    }
  }
  for (const ir::Value* buffer : found.buffers) found.parameters.erase(buffer);
  return found;
}

}  // namespace espalier::exec
