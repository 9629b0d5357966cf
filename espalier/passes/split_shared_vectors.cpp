#include "espalier/passes/split_shared_vectors.h"

#include <algorithm>

#include "espalier/ops/weight.h"

namespace espalier::passes {
namespace {

bool is_vector(const ir::Value& value) {
  if (!value.is_initializer() || !tensor::is_floating(value.type().dtype)) return false;
  const Tensor& constant = value.constant();
  return constant.numel() > 1 && std::ranges::any_of(constant.sizes(), [&](std::int64_t size) {
           return size == constant.numel();
         });
}

std::size_t split_shared_vectors_in(ir::Graph& graph) {
  std::size_t changes = 0;
  std::vector<ir::Node*> nodes = graph.nodes();
  // From the end, so that the first user is the one that keeps the initializer.
  for (auto place = nodes.rbegin(); place != nodes.rend(); ++place) {
    ir::Node& node = **place;
    for (std::size_t port = node.inputs().size(); port-- > 0;) {
      const ir::Value* vector = node.input(port);
      if (vector == nullptr || vector->uses().size() + (vector->is_output() ? 1 : 0) < 2 ||
          !is_vector(*vector) || ops::weight_port(node) == port) {
        continue;
      }
      ir::Value& copy =
          graph.add_initializer(graph.unique_value_name(vector->name()), vector->constant());
      graph.set_input(node, port, &copy);
      ++changes;
    }
  }
  return changes;
}

}  // namespace

Pass split_shared_vectors() {
  return {.name = "split_shared_vectors", .apply = split_shared_vectors_in};
}

}  // namespace espalier::passes
