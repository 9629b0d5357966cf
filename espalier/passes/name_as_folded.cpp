#include "espalier/passes/name_as_folded.h"

#include "espalier/ops/weight.h"
#include "espalier/passes/channel_affine.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

bool is_joinable(const ir::Node& node) {
  return node.is("Conv") || node.is("ConvTranspose") || node.is("Gemm");
}

bool rename(ir::Graph& graph, ir::Node& layer) {
  const ir::Node* bn = joined_batch_norm(layer);
  if (bn == nullptr || bn->output()->is_output()) return false;
  ir::Value& value = *layer.output();
  const std::string name = value.name();
  graph.rename(value, graph.unique_value_name(name + "_unfolded"));
  graph.rename(*bn->output(), name);
  return true;
}

std::size_t name_as_folded_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) changes += rename(graph, *node) ? 1U : 0U;
  return changes;
}

}  // namespace

ir::Node* joined_batch_norm(const ir::Node& layer) {
  if (!is_joinable(layer) || ops::weight_initializer(layer) == nullptr) return nullptr;
  ir::Node* user = sole_user(layer.output());
  const bool joins =
      user != nullptr && user->input(0) == layer.output() && batch_norm_affine(*user);
  return joins ? user : nullptr;
}

Pass name_as_folded() {
  return {.name = "name_as_folded", .apply = name_as_folded_in};
}

}  // namespace espalier::passes
