#include "espalier/prune/frontier.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "espalier/analysis/reach.h"

namespace espalier::prune {
namespace {

using Values = std::unordered_set<const ir::Value*>;

bool loses_positions(const ir::Value* value, const Removal& removal) {
  const std::size_t rank = rank_of(value).value_or(0);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (removal.cuts({.value = value, .axis = axis})) return true;
  }
  return false;
}

/// True when a value that is read or written is in the set.
bool touches(const ir::Node& node, const Values& values) {
  const auto inside = [&](const ir::Value* value) { return values.contains(value); };
  return std::ranges::any_of(node.inputs(), inside) || std::ranges::any_of(node.outputs(), inside);
}

/// The set, grown by the outputs of all nodes that touch it.
Values grow(const std::vector<const ir::Node*>& nodes, Values values) {
  for (const ir::Node* node : nodes) {
    if (touches(*node, values)) values.insert(node->outputs().begin(), node->outputs().end());
    values.erase(nullptr);
  }
  return values;
}

Values directly_changed(const ir::Graph& graph, const std::vector<const ir::Node*>& nodes,
                        const Removal& removal) {
  Values values;
  const auto consider = [&](const ir::Value* value) {
    if (value != nullptr && loses_positions(value, removal)) values.insert(value);
  };
  std::ranges::for_each(graph.initializers(), consider);
  for (const ir::Node* node : nodes) std::ranges::for_each(node->outputs(), consider);
  return values;
}

}  // namespace

std::optional<std::vector<std::string>> find_frontier(const ir::Graph& graph,
                                                      const Removal& removal,
                                                      const ir::Value& output) {
  const std::vector<const ir::Node*> nodes = graph.nodes();
  const Values changed = grow(nodes, directly_changed(graph, nodes, removal));
  if (!changed.contains(&output)) return std::nullopt;
  const Values computed = grow(nodes, Values(graph.inputs().begin(), graph.inputs().end()));
  const analysis::NodeSet needed = analysis::upstream(std::array{&output});
  Values found;
  std::vector<std::string> frontier;
  for (const ir::Node* node : nodes) {
    if (!needed.contains(node) || !touches(*node, changed)) continue;
    for (const ir::Value* value : node->inputs()) {
      if (!computed.contains(value) || changed.contains(value)) continue;
      if (found.insert(value).second) frontier.push_back(value->name());
    }
  }
  return frontier;
}

}  // namespace espalier::prune
