#include "espalier/passes/add_bias.h"

#include <ATen/ops/zeros.h>

#include "espalier/passes/channel_affine.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

std::size_t add_bias_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    const std::int64_t channels = num_output_channels(*node);
    if (channels == 0 || node->input(kBiasInput) != nullptr) continue;
    const Tensor zeros = at::zeros({channels}, constant_of(node->input(1))->scalar_type());
    const std::string name = graph.unique_value_name(node->name() + "_bias");
    graph.set_input(*node, kBiasInput, &graph.add_initializer(name, zeros));
    ++changes;
  }
  return changes;
}

}  // namespace

Pass add_bias() {
  return {.name = "add_bias", .apply = add_bias_in};
}

}  // namespace espalier::passes
