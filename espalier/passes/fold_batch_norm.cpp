#include "espalier/passes/fold_batch_norm.h"

#include "espalier/passes/bypass.h"
#include "espalier/passes/channel_affine.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

/// Which neighbours of a BatchNormalization it may join.
enum class Side { Both, After };

bool fold(ir::Graph& graph, ir::Node& bn, Side side) {
  ir::Value* input = bn.input(0);
  if (input == nullptr || !can_bypass(bn, *input)) return false;
  ir::Node* before = input->producer();
  ir::Node* after = sole_user(bn.output());
  const bool joins_before = before != nullptr && sole_user(input) == &bn;
  const bool joins_after = after != nullptr && after->input(0) == bn.output();
  if (!joins_before && !joins_after) return false;
  if (side == Side::After && joins_before && num_output_channels(*before) != 0) return false;
  const auto affine = batch_norm_affine(bn);
  if (!affine) return false;
  const bool folded = (joins_before && fold_after(graph, *before, *affine)) ||
                      (joins_after && fold_before(graph, *after, *affine));
  return folded && bypass(graph, bn, *input);
}

std::size_t fold_batch_norm_in(ir::Graph& graph, Side side) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (node->is("BatchNormalization") && fold(graph, *node, side)) ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass fold_batch_norm() {
  return {.name = "fold_batch_norm",
          .apply = [](ir::Graph& graph) { return fold_batch_norm_in(graph, Side::Both); }};
}

Pass fold_leading_batch_norm() {
  return {.name = "fold_leading_batch_norm",
          .apply = [](ir::Graph& graph) { return fold_batch_norm_in(graph, Side::After); }};
}

}  // namespace espalier::passes
