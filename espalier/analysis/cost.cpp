#include "espalier/analysis/cost.h"

#include <algorithm>
#include <unordered_set>

#include "espalier/analysis/memory.h"
#include "espalier/ops/cost.h"
#include "espalier/ops/weight.h"

namespace espalier::analysis {
namespace {

NodeCost cost_of(const ir::Node& node, std::unordered_set<const ir::Value*>& counted) {
  NodeCost cost{.node = node.name(), .op = node.op(), .macs = ops::macs(node)};
  for (const ir::Value* input : node.inputs()) {
    if (input == nullptr) continue;
    const ir::Value* constant = ops::initializer_behind(input);
    if (constant == nullptr) {
      cost.input_bytes += std::max<std::int64_t>(value_bytes(*input), 0);
    } else if (counted.insert(constant).second) {
      cost.parameters += constant->constant().numel();
      cost.parameter_bytes += std::max<std::int64_t>(value_bytes(*constant), 0);
    }
  }
  for (const ir::Value* output : node.outputs()) {
    if (output == nullptr || ops::initializer_behind(output) != nullptr) continue;
    cost.output_bytes += std::max<std::int64_t>(value_bytes(*output), 0);
  }
  return cost;
}

}  // namespace

CostTable cost_table(const ir::Graph& graph) {
  CostTable table;
  std::unordered_set<const ir::Value*> counted;
  for (const ir::Node* node : graph.nodes()) {
    table.nodes.push_back(cost_of(*node, counted));
    const NodeCost& cost = table.nodes.back();
    table.macs += cost.macs.value_or(0);
    if (!cost.macs) ++table.uncounted_nodes;
  }
  table.parameters = ops::parameters(graph);
  for (const ir::Value* constant : graph.initializers()) {
    table.initializer_bytes += std::max<std::int64_t>(value_bytes(*constant), 0);
  }
  return table;
}

}  // namespace espalier::analysis
