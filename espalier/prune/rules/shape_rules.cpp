// Reshapes, and what turns shapes into tensors.
#include <unordered_set>

#include "espalier/ops/weight.h"
#include "espalier/prune/reshape_blocks.h"
#include "espalier/prune/rules/rules.h"

namespace espalier::prune {
namespace {

/// True when the target shape of a reshape can be written down again after a cut: it is constant,
/// or at most one dimension is unknown and does not simply repeat the input's.
bool target_is_writable(const RuleCall& call) {
  if (call.input(1) == nullptr || integers_of(call.input(1))) return true;
  if (!call.node.is("Reshape")) return false;
  std::size_t unknown = 0;
  for (std::size_t axis = 0; axis < call.rank(call.output()); ++axis) {
    if (size_of({call.output(), axis}) == kUnknownSize) ++unknown;
  }
  return unknown <= 1;
}

/// Follows numbers that come from a shape until they are used as sizes, positions or axes. True
/// when they meet activations or leave the graph.
bool reaches_activations(const ir::Value& number, std::unordered_set<const ir::Value*>& seen) {
  if (number.is_output()) return true;
  if (!seen.insert(&number).second) return false;
  for (const ir::Use& use : number.uses()) {
    const ops::OpFacts* facts = ops::find(*use.node);
    if (facts == nullptr) return true;
    if (!ops::contains(facts->data, use.index)) continue;
    for (std::size_t other = 0; other < use.node->inputs().size(); ++other) {
      const ir::Value* operand = use.node->input(other);
      const bool is_activation = operand != nullptr && ops::is_activation_input(*use.node, other);
      if (is_activation && !seen.contains(operand) && rank_of(operand).value_or(2) > 1) return true;
    }
    for (const ir::Value* output : use.node->outputs()) {
      if (output != nullptr && reaches_activations(*output, seen)) return true;
    }
  }
  return false;
}

}  // namespace

void relate_reshape(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  if (!target_is_writable(call)) {
    return call.relations.veto(call.node, "its shape is known at run time only");
  }
  const AlignedShapes aligned = align_shapes(*data->type().shape, *call.output()->type().shape);
  for (const auto& [from, to] : aligned.same) {
    call.same({data, from}, {call.output(), to});
  }
  for (const std::size_t axis : aligned.unmatched_inputs) {
    call.fix({data, axis}, "it is merged with axes of unknown size");
  }
  for (const std::size_t axis : aligned.unmatched_outputs) {
    call.fix({call.output(), axis}, "it is merged with axes of unknown size");
  }
  for (const AxisBlock& block : aligned.blocks) {
    ReshapeBlock described{.node = &call.node, .inputs = {}, .outputs = {}};
    for (const std::size_t axis : block.inputs) described.inputs.push_back({data, axis});
    for (const std::size_t axis : block.outputs) {
      described.outputs.push_back({call.output(), axis});
    }
    call.relations.reshape(std::move(described));
  }
}

void relate_size(const RuleCall& call) {
  std::unordered_set<const ir::Value*> seen;
  if (reaches_activations(*call.output(), seen)) {
    call.relations.veto(call.node, "its shape is used in computations");
  }
}

void relate_generator(const RuleCall& call) {
  for (const ir::Value* output : call.node.outputs()) {
    for (std::size_t axis = 0; axis < call.rank(output); ++axis) call.fix({output, axis});
  }
}

void relate_veto(const RuleCall& call) {
  call.relations.veto(call.node, call.row.reason);
}

}  // namespace espalier::prune
