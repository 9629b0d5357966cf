#include "espalier/passes/sum_to_add.h"

namespace espalier::passes {
namespace {

/// Leaves the last addition to the node itself, so that its name and output stay.
void rewrite(ir::Graph& graph, ir::Node& sum) {
  ir::Value* total = sum.input(0);
  for (std::size_t index = 1; index + 1 < sum.inputs().size(); ++index) {
    ir::Node& add =
        graph.insert_before(sum, {.op = "Add",
                                  .inputs = {total, sum.input(index)},
                                  .outputs = {graph.unique_value_name(sum.name() + "_partial")},
                                  .name = graph.unique_node_name(sum.name() + "_add")});
    total = add.output();
  }
  ir::Value* last = sum.inputs().back();
  graph.set_op(sum, "Add");
  graph.set_input(sum, 0, total);
  graph.set_input(sum, 1, last);
  graph.truncate_inputs(sum, 2);
}

std::size_t sum_to_add_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!node->is("Sum") || node->inputs().size() < 2) continue;
    rewrite(graph, *node);
    ++changes;
  }
  return changes;
}

}  // namespace

Pass sum_to_add() {
  return {.name = "sum_to_add", .apply = sum_to_add_in};
}

}  // namespace espalier::passes
