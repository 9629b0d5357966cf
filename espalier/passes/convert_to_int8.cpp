#include "espalier/passes/convert_to_int8.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/round.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/ops/weight.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::int64_t kOnnxFloat = 1;  ///< TensorProto.FLOAT

bool holds_bytes(const Tensor& weight) {
  if (weight.scalar_type() != at::kFloat || weight.numel() == 0) return false;
  const Tensor fits =
      (at::round(weight) == weight).logical_and(weight >= -128).logical_and(weight <= 127);
  return fits.all().item<bool>();
}

bool is_scaled_behind(const ir::Node& layer) {
  const ir::Node* user = sole_user(layer.output());
  return user != nullptr && user->is("Mul") && constant_of(user->input(1)) != nullptr;
}

bool convert(ir::Graph& graph, ir::Node& layer) {
  const auto port = ops::weight_port(layer);
  if (!port || !layer.input(*port)->is_initializer() || !is_scaled_behind(layer)) return false;
  ir::Value& weight = *layer.input(*port);
  if (!holds_bytes(weight.constant())) return false;
  const std::string stem = weight.name();
  ir::Value& bytes = graph.add_initializer(graph.unique_value_name(stem + ".int8"),
                                           weight.constant().to(at::kChar).contiguous());
  ir::Node& cast =
      graph.insert_before(layer, {.op = "Cast",
                                  .inputs = {&bytes},
                                  .outputs = {graph.unique_value_name(stem + "_float")},
                                  .attributes = {{"to", kOnnxFloat}},
                                  .name = graph.unique_node_name(stem + "_cast")});
  cast.output()->set_type(weight.type());
  graph.set_input(layer, *port, cast.output());
  return true;
}

std::size_t convert_to_int8_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (convert(graph, *node)) ++changes;
  }
  if (changes == 0) {
    throw base::UserError({.what = "cannot store weights as int8",
                           .where = fmt::format("graph '{}'", graph.name),
                           .got = "no frozen weight whose integers fit in a byte",
                           .expected = "weights of at most 8 bits behind freeze_weights",
                           .hint = "the frozen form holds integers of more bits"});
  }
  graph.erase_dead();
  return changes;
}

}  // namespace

Pass convert_to_int8() {
  return {.name = "convert_to_int8", .apply = convert_to_int8_in};
}

}  // namespace espalier::passes
