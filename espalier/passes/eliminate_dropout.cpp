#include "espalier/passes/eliminate_dropout.h"

#include "espalier/passes/bypass.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

bool is_off(const ir::Node& dropout) {
  if (!dropout.is("Dropout") || dropout.input(0) == nullptr) return false;
  if (dropout.input(2) == nullptr) return true;
  const Tensor* training = constant_of(dropout.input(2));
  return training != nullptr && training->count_nonzero().item<std::int64_t>() == 0;
}

std::size_t eliminate_dropout_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (is_off(*node) && bypass(graph, *node, *node->input(0))) ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass eliminate_dropout() {
  return {.name = "eliminate_dropout", .apply = eliminate_dropout_in};
}

}  // namespace espalier::passes
