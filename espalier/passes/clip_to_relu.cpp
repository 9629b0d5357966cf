#include "espalier/passes/clip_to_relu.h"

#include <limits>

#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

bool begins_at_zero(const ir::Node& clip) {
  return clip.is("Clip") && clip.input(0) != nullptr &&
         tensor::is_floating(clip.input(0)->type().dtype) && constant_number(clip.input(1)) == 0.0;
}

bool has_no_end(const ir::Node& clip) {
  if (clip.input(2) == nullptr) return true;
  const auto limit = constant_number(clip.input(2));
  const bool is_double = clip.input(0)->type().dtype == tensor::DType::Float64;
  const double largest = is_double ? std::numeric_limits<double>::max()
                                   : static_cast<double>(std::numeric_limits<float>::max());
  return limit && *limit >= largest;
}

std::size_t clip_to_relu_in(ir::Graph& graph) {
  return turn_clips_into_relu(graph, has_no_end);
}

}  // namespace

std::size_t turn_clips_into_relu(ir::Graph& graph, bool (*fits)(const ir::Node& clip)) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!begins_at_zero(*node) || !fits(*node)) continue;
    graph.truncate_inputs(*node, 1);
    graph.set_op(*node, "Relu");
    ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

Pass clip_to_relu() {
  return {.name = "clip_to_relu", .apply = clip_to_relu_in};
}

}  // namespace espalier::passes
