#include "espalier/analysis/reach.h"

#include <vector>

namespace espalier::analysis {

NodeSet upstream(std::span<const ir::Value* const> values) {
  NodeSet reached;
  std::vector<const ir::Value*> open(values.begin(), values.end());
  while (!open.empty()) {
    const ir::Value* value = open.back();
    open.pop_back();
    const ir::Node* producer = value == nullptr ? nullptr : value->producer();
    if (producer == nullptr || !reached.insert(producer).second) continue;
    open.insert(open.end(), producer->inputs().begin(), producer->inputs().end());
  }
  return reached;
}

NodeSet downstream(std::span<const ir::Value* const> values) {
  NodeSet reached;
  std::vector<const ir::Value*> open(values.begin(), values.end());
  while (!open.empty()) {
    const ir::Value* value = open.back();
    open.pop_back();
    if (value == nullptr) continue;
    for (const ir::Use& use : value->uses()) {
      if (!reached.insert(use.node).second) continue;
      open.insert(open.end(), use.node->outputs().begin(), use.node->outputs().end());
    }
  }
  return reached;
}

NodeSet between(std::span<const ir::Value* const> from, std::span<const ir::Value* const> to) {
  NodeSet nodes = downstream(from);
  const NodeSet needed = upstream(to);
  std::erase_if(nodes, [&needed](const ir::Node* node) { return !needed.contains(node); });
  return nodes;
}

}  // namespace espalier::analysis
