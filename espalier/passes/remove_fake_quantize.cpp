#include "espalier/passes/remove_fake_quantize.h"

#include "espalier/ops/estimator.h"
#include "espalier/passes/fake_quantize_node.h"

namespace espalier::passes {
namespace {

std::size_t remove_fake_quantize_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!is_fake_quantize(*node)) continue;
    ir::Value& result = *node->output();
    ir::Value& value = *node->input(ops::kQuantizedValue);
    // A graph output keeps its name.
    const std::string name = result.is_output() && !value.is_output() && !value.is_input()
                                 ? result.name()
                                 : std::string();
    graph.replace_all_uses(result, value);
    graph.erase(*node);
    if (!name.empty()) graph.rename(value, name);
    ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass remove_fake_quantize() {
  return {.name = "remove_fake_quantize", .apply = remove_fake_quantize_in};
}

}  // namespace espalier::passes
