// Reshapes, and what turns shapes into tensors.
#include <unordered_set>

#include "espalier/ops/weight.h"
#include "espalier/prune/reshape_blocks.h"
#include "espalier/prune/rules/rules.h"
#include "espalier/prune/rules/size_sources.h"

namespace espalier::prune {
namespace {

constexpr std::string_view kComputedShape = "its shape is known at run time only";
constexpr std::string_view kMerged = "it is merged with or split from another axis";
constexpr std::string_view kMergedWithUnknown = "it is merged with axes of unknown size";
constexpr std::string_view kSizeUsed = "a size is computed from its size";

/// True when the target shape of a reshape can be written down again after a cut: it is constant,
/// or its known dimensions take the place of computed ones.
bool target_is_writable(const RuleCall& call) {
  if (call.input(1) == nullptr || integers_of(call.input(1))) return true;
  return call.node.is("Reshape");
}

void fix_source(const RuleCall& call, const SizeSource& source) {
  if (source.size_of) call.fix(*source.size_of, kSizeUsed);
  for (const Axis& other : source.computed_from) call.fix(other, kSizeUsed);
}

/// The numbers of `sizes` say how long the axes of the output are. What is the size of an axis
/// itself: its positions correspond to the output's, so that both lose the same. What is computed
/// from sizes otherwise must stay, on both sides.
void relate_sizes(const RuleCall& call, const ir::Value& sizes) {
  const auto sources = size_sources(sizes);
  if (!sources || sources->size() != call.rank(call.output())) {
    return call.relations.veto(call.node, kComputedShape);
  }
  for (std::size_t axis = 0; axis < sources->size(); ++axis) {
    const SizeSource& source = (*sources)[axis];
    const Axis made{call.output(), axis};
    if (source.size_of) {
      call.same(*source.size_of, made);
    } else {
      call.fix(made);
      fix_source(call, source);
    }
  }
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

/// Position p of the longer axis corresponds to position p modulo the size of the shorter one.
void relate_repeated(const RuleCall& call, const Axis& first, const Axis& second) {
  const bool first_is_longer = size_of(first) > size_of(second);
  const Axis& longer = first_is_longer ? first : second;
  const Axis& shorter = first_is_longer ? second : first;
  const std::int64_t period = size_of(shorter);
  if (period == kUnknownSize) {
    call.fix(longer, kMergedWithUnknown);
    return;
  }
  for (std::int64_t start = 0; start < size_of(longer); start += period) {
    call.relations.run({.first = longer, .first_start = start, .second = shorter, .count = period});
  }
}

}  // namespace

void relate_reshape(const RuleCall& call) {
  const ir::Value* data = call.input(0);
  if (!target_is_writable(call)) {
    return call.relations.veto(call.node, kComputedShape);
  }
  fix_sources_of_unknown_sizes(call, 1);
  const AlignedShapes aligned = align_shapes(*data->type().shape, *call.output()->type().shape);
  for (const auto& [from, to] : aligned.same) {
    // An axis of one position is left out of a block: what was merged before a cut stays so.
    const BlockChoice* block = call.relations.earlier_block(call.node, from, to);
    if (block == nullptr || block->chosen == std::pair(from, to)) {
      call.same({data, from}, {call.output(), to});
    } else {
      call.fix({data, from}, kMerged);
      call.fix({call.output(), to}, kMerged);
    }
  }
  for (const std::size_t axis : aligned.unmatched_inputs) {
    call.fix({data, axis}, kMergedWithUnknown);
  }
  for (const std::size_t axis : aligned.unmatched_outputs) {
    call.fix({call.output(), axis}, kMergedWithUnknown);
  }
  if (aligned.repeated) {
    relate_repeated(call, {data, aligned.repeated->first},
                    {call.output(), aligned.repeated->second});
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

void fix_sources_of_unknown_sizes(const RuleCall& call, std::size_t port) {
  const ir::Value* sizes = call.input(port);
  if (sizes == nullptr || sizes->is_initializer()) return;
  const auto sources = size_sources(*sizes);
  if (!sources || sources->size() != call.rank(call.output())) {
    return call.relations.veto(call.node, kComputedShape);
  }
  for (std::size_t axis = 0; axis < sources->size(); ++axis) {
    if (size_of({call.output(), axis}) == kUnknownSize) fix_source(call, (*sources)[axis]);
  }
}

void fix_sources(const RuleCall& call, const ir::Value& numbers) {
  const auto sources = size_sources(numbers);
  if (!sources) return;
  for (const SizeSource& source : *sources) fix_source(call, source);
}

void relate_generator(const RuleCall& call) {
  const ir::Value* sizes = call.node.is("ConstantOfShape") ? call.input(0) : nullptr;
  if (sizes != nullptr && !sizes->is_initializer()) return relate_sizes(call, *sizes);
  for (const ir::Value* output : call.node.outputs()) {
    for (std::size_t axis = 0; axis < call.rank(output); ++axis) call.fix({output, axis});
  }
}

void relate_veto(const RuleCall& call) {
  call.relations.veto(call.node, call.row.reason);
}

}  // namespace espalier::prune
