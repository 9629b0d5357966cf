#include "espalier/passes/mask_channels.h"

#include <map>

#include <ATen/ops/zeros.h>

#include "espalier/base/check.h"
#include "espalier/onnx/shapes.h"
#include "espalier/tensor/dtype.h"

namespace espalier::passes {
namespace {

/// True where positions stay, shaped to broadcast along `axis`.
Tensor mask_of(const prune::Removal& removal, const prune::Axis& axis) {
  const std::int64_t size = prune::size_of(axis);
  Tensor mask = at::zeros({size}, at::kBool);
  for (const std::int64_t position : removal.kept(axis)) mask[position] = true;
  std::vector<std::int64_t> sizes(prune::rank_of(axis.value).value() - axis.axis, 1);
  sizes[0] = size;
  return mask.reshape(sizes);
}

/// A value that a node reads, and the axis of it, in the graph before any mask, that loses
/// channels.
struct MaskedInput {
  prune::Axis axis;
  ir::Value& value;
  ir::Node& user;
};

/// Where(keep, value, 0) in front of the user.
ir::Value* mask(ir::Graph& graph, const prune::Removal& removal, const MaskedInput& input) {
  const std::string& name = input.axis.value->name();
  const tensor::DType dtype = input.axis.value->type().dtype;
  const auto type = tensor::to_scalar_type(dtype);
  base::require_supported(type.has_value(), "{}: cannot mask its input '{}' of type {}",
                          input.user.label(), name, tensor::to_string(dtype));
  ir::Value& kept =
      graph.add_initializer(graph.unique_value_name(name + "_kept"), mask_of(removal, input.axis));
  ir::Value& zero =
      graph.add_initializer(graph.unique_value_name(name + "_zero"), at::zeros({}, *type));
  return graph
      .insert_before(input.user, {.op = "Where",
                                  .inputs = {&kept, &input.value, &zero},
                                  .name = graph.unique_node_name(name + "_masked")})
      .output();
}

}  // namespace

std::size_t mask_channels(ir::Graph& graph, const prune::PrunePlan& plan,
                          std::optional<prune::CouplingChoices> earlier) {
  const prune::ChannelMap map(graph, std::move(earlier));
  return mask_channels(graph, prune::resolve(plan, map, graph));
}

std::size_t mask_channels(ir::Graph& graph, const prune::Removal& removal) {
  std::size_t count = 0;
  // An input that is masked along several axes: the map knows the axes of what it was before.
  std::map<std::pair<const ir::Node*, std::size_t>, const ir::Value*> originals;
  for (const prune::Contraction& contraction : removal.map().contractions()) {
    ir::Node& node = *graph.find_node(contraction.node->name());
    ir::Value* input = node.input(contraction.port);
    const ir::Value* original =
        originals.emplace(std::pair(&node, contraction.port), input).first->second;
    const prune::Axis axis{original, contraction.axis};
    if (!removal.cuts(axis)) continue;
    graph.set_input(node, contraction.port, mask(graph, removal, {axis, *input, node}));
    ++count;
  }
  onnx::infer_shapes(graph);
  return count;
}

}  // namespace espalier::passes
