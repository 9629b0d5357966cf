#include "espalier/passes/split_shared_biases.h"

#include "espalier/ops/facts.h"

namespace espalier::passes {
namespace {

/// The initializer at the node's bias port, or null.
ir::Value* bias_of(const ir::Node& node) {
  const ops::OpFacts* facts = ops::find(node);
  if (facts == nullptr || facts->weight == ops::kNoPort || facts->bias == ops::kNoPort) {
    return nullptr;
  }
  ir::Value* bias = node.input(static_cast<std::size_t>(facts->bias));
  return bias != nullptr && bias->is_initializer() ? bias : nullptr;
}

std::size_t split_shared_biases_in(ir::Graph& graph) {
  std::size_t changes = 0;
  std::vector<ir::Node*> nodes = graph.nodes();
  for (auto place = nodes.rbegin(); place != nodes.rend(); ++place) {
    ir::Node& node = **place;
    ir::Value* bias = bias_of(node);
    if (bias == nullptr || (bias->uses().size() == 1 && !bias->is_output())) continue;
    ir::Value& copy =
        graph.add_initializer(graph.unique_value_name(bias->name()), bias->constant());
    graph.set_input(node, static_cast<std::size_t>(ops::find(node)->bias), &copy);
    ++changes;
  }
  return changes;
}

}  // namespace

Pass split_shared_biases() {
  return {.name = "split_shared_biases", .apply = split_shared_biases_in};
}

}  // namespace espalier::passes
