#include "espalier/exec/observe_shapes.h"

#include <string>
#include <string_view>

#include "espalier/exec/program.h"

namespace espalier::exec {

void observe_shapes(ir::Graph& graph, const std::vector<Tensor>& inputs) {
  std::vector<std::string> unknown;
  for (const ir::Node* node : graph.nodes()) {
    for (const ir::Value* output : node->outputs()) {
      if (output == nullptr || !tensor::is_floating(output->type().dtype)) continue;
      const auto& shape = output->type().shape;
      if (!shape || !tensor::num_elements(*shape)) unknown.push_back(output->name());
    }
  }
  if (unknown.empty()) return;
  const Program program = Program::compile(graph, {.taps = unknown});
  (void)program.run(inputs, [&](std::string_view name, const Tensor& tensor) {
    ir::Value* value = graph.find_value(name);
    ir::TypeInfo type = value->type();
    type.shape = tensor::make_shape(tensor.sizes().vec());
    value->set_type(std::move(type));
  });
}

}  // namespace espalier::exec
