#include "espalier/passes/reduce_mean_to_global_average_pool.h"

#include <algorithm>
#include <numeric>

#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

bool reduces_all_spatial(const ir::Node& node) {
  if (!node.is("ReduceMean") || node.input(0) == nullptr) return false;
  const ir::TypeInfo& type = node.input(0)->type();
  if (!type.shape || type.shape->size() < 3 || type.shape->size() > 5) return false;
  if (!tensor::is_floating(type.dtype)) return false;
  const auto rank = static_cast<std::int64_t>(type.shape->size());
  ir::Ints axes = node.get_ints("axes", {});
  if (node.input(1) != nullptr) axes = constant_ints(node.input(1)).value_or(ir::Ints{});
  for (std::int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  std::ranges::sort(axes);
  ir::Ints spatial(static_cast<std::size_t>(rank) - 2);
  std::iota(spatial.begin(), spatial.end(), 2);
  return axes == spatial;
}

void rewrite(ir::Graph& graph, ir::Node& node) {
  const bool keeps = node.get_int("keepdims", 1) != 0;
  graph.truncate_inputs(node, 1);
  for (const char* attribute : {"axes", "keepdims", "noop_with_empty_axes"}) {
    node.remove(attribute);
  }
  graph.set_op(node, "GlobalAveragePool");
  if (keeps) return;
  ir::Value& output = *node.output();
  const std::string name = output.name();
  const ir::TypeInfo flat_type = output.type();
  ir::Node& flatten =
      graph.insert_after(node, {.op = "Flatten",
                                .inputs = {},
                                .attributes = {{"axis", std::int64_t{1}}},
                                .name = graph.unique_node_name(node.name() + "_flatten")});
  graph.replace_all_uses(output, *flatten.output());
  graph.set_input(flatten, 0, &output);
  graph.rename(output, graph.unique_value_name(name + "_pooled"));
  graph.rename(*flatten.output(), name);
  flatten.output()->set_type(flat_type);
  tensor::Shape pooled = *node.input(0)->type().shape;
  for (std::size_t axis = 2; axis < pooled.size(); ++axis) pooled[axis] = {.size = 1, .symbol = {}};
  output.set_type({.dtype = flat_type.dtype, .shape = std::move(pooled)});
}

std::size_t reduce_mean_to_global_average_pool_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!reduces_all_spatial(*node)) continue;
    rewrite(graph, *node);
    ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass reduce_mean_to_global_average_pool() {
  return {.name = "reduce_mean_to_global_average_pool",
          .apply = reduce_mean_to_global_average_pool_in};
}

}  // namespace espalier::passes
