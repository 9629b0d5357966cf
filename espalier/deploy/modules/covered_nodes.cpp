#include "espalier/deploy/modules/covered_nodes.h"

namespace espalier::deploy {
namespace {

bool is_border(const ir::Value& value, const std::unordered_set<const ir::Value*>& kept) {
  const ir::Node* node = value.producer();
  return node == nullptr || node->is("QuantizeLinear") || kept.contains(&value);
}

}  // namespace

std::vector<std::string> covered_nodes(std::span<const ir::Value* const> outputs,
                                       const std::unordered_set<const ir::Value*>& kept) {
  std::vector<const ir::Value*> waiting(outputs.begin(), outputs.end());
  std::unordered_set<const ir::Node*> seen;
  std::vector<std::string> covered;
  while (!waiting.empty()) {
    const ir::Node* node = waiting.back()->producer();
    waiting.pop_back();
    if (node == nullptr || !seen.insert(node).second) continue;
    covered.push_back(node->name());
    for (const ir::Value* input : node->inputs()) {
      if (input != nullptr && !is_border(*input, kept)) waiting.push_back(input);
    }
  }
  return covered;
}

}  // namespace espalier::deploy
