#include "espalier/passes/split_normalized_weights.h"

#include <algorithm>
#include <set>

#include "espalier/ops/weight.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

bool is_normalized(const ir::Node& layer) {
  const ir::Node* reader = layer.output() == nullptr ? nullptr : sole_user(layer.output());
  return reader != nullptr && reader->is("BatchNormalization") &&
         reader->input(0) == layer.output();
}

bool is_shared_by_layers(const ir::Value& value) {
  return value.is_initializer() && !value.is_output() && value.uses().size() > 1 &&
         std::ranges::all_of(value.uses(), [](const ir::Use& use) {
           return ops::weight_port(*use.node) == use.index;
         });
}

std::size_t split_normalized_weights_in(ir::Graph& graph) {
  std::size_t changes = 0;
  std::set<const ir::Value*> divided;  ///< whose first layer has been met
  for (ir::Node* node : graph.nodes()) {
    const auto port = ops::weight_port(*node);
    const ir::Value* weight = port ? node->input(*port) : nullptr;
    if (weight == nullptr) continue;
    if (!divided.contains(weight)) {
      const bool divides = is_shared_by_layers(*weight) &&
                           std::ranges::any_of(weight->uses(), [](const ir::Use& use) {
                             return is_normalized(*use.node);
                           });
      if (divides) divided.insert(weight);
      continue;
    }
    ir::Value& copy =
        graph.add_initializer(graph.unique_value_name(weight->name()), weight->constant());
    graph.set_input(*node, *port, &copy);
    ++changes;
  }
  return changes;
}

}  // namespace

Pass split_normalized_weights() {
  return {.name = "split_normalized_weights", .apply = split_normalized_weights_in};
}

}  // namespace espalier::passes
