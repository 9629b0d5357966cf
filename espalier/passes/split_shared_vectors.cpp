#include "espalier/passes/split_shared_vectors.h"

#include <algorithm>

#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"

namespace espalier::passes {
namespace {

bool is_vector(const ir::Value& value, const ir::Node& user) {
  if (!value.is_initializer() || !tensor::is_floating(value.type().dtype)) return false;
  const Tensor& constant = value.constant();
  // A number elsewhere is a constant of the formula; a normalization of one channel has vectors
  // too.
  const bool is_number = constant.numel() == 1;
  if (is_number && ops::kind_of(user) != ops::OpKind::Normalization) return false;
  return std::ranges::any_of(constant.sizes(),
                             [&](std::int64_t size) { return size == constant.numel(); });
}

const ir::Value* weight_of(const ir::Node& node) {
  const auto port = ops::weight_port(node);
  return port ? ops::initializer_behind(node.input(*port)) : nullptr;
}

/// The bias of one layer that is used several times: all its users have the same weight.
bool belongs_to_shared_weight(const ir::Value& vector, const ir::Node& user) {
  const ir::Value* weight = weight_of(user);
  return weight != nullptr && std::ranges::all_of(vector.uses(), [&](const ir::Use& use) {
           return weight_of(*use.node) == weight;
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
          !is_vector(*vector, node) || ops::weight_port(node) == port ||
          belongs_to_shared_weight(*vector, node)) {
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
