#include "espalier/passes/clip_to_relu.h"

#include <limits>

#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

bool is_relu(const ir::Node& clip) {
  if (!clip.is("Clip") || clip.input(0) == nullptr) return false;
  if (!tensor::is_floating(clip.input(0)->type().dtype)) return false;
  if (constant_number(clip.input(1)) != 0.0) return false;
  if (clip.input(2) == nullptr) return true;
  const auto limit = constant_number(clip.input(2));
  const bool is_double = clip.input(0)->type().dtype == tensor::DType::Float64;
  const double largest = is_double ? std::numeric_limits<double>::max()
                                   : static_cast<double>(std::numeric_limits<float>::max());
  return limit && *limit >= largest;
}

std::size_t clip_to_relu_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!is_relu(*node)) continue;
    graph.truncate_inputs(*node, 1);
    graph.set_op(*node, "Relu");
    ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass clip_to_relu() {
  return {.name = "clip_to_relu", .apply = clip_to_relu_in};
}

}  // namespace espalier::passes
