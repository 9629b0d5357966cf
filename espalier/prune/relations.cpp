#include "espalier/prune/relations.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "espalier/prune/rules/rules.h"

namespace espalier::prune {

std::optional<std::size_t> rank_of(const ir::Value* value) {
  if (value == nullptr || !value->type().shape) return std::nullopt;
  return value->type().shape->size();
}

std::int64_t size_of(const Axis& axis) {
  const auto rank = rank_of(axis.value);
  if (!rank || axis.axis >= *rank) return kUnknownSize;
  const std::int64_t size = (*axis.value->type().shape)[axis.axis].size.value_or(kUnknownSize);
  return size >= 0 && size <= kLongestAxis ? size : kUnknownSize;
}

void Relations::same(const Axis& first, const Axis& second, const ir::Node& node) {
  const std::int64_t first_size = size_of(first);
  const std::int64_t second_size = size_of(second);
  if (first_size == second_size) {
    if (first_size != kUnknownSize) same_.push_back({first, second});
    return;
  }
  fix(first, node, "the sizes of its inputs and outputs are not all known");
  fix(second, node, "the sizes of its inputs and outputs are not all known");
}

void Relations::run(const Run& run) {
  if (run.count > 0) runs_.push_back(run);
}

std::size_t Relations::veto_index(Veto veto) {
  // A node fixes several axes in a row for the same reason.
  const std::size_t recent = vetoes_.size() < 4 ? 0 : vetoes_.size() - 4;
  for (std::size_t index = recent; index < vetoes_.size(); ++index) {
    if (vetoes_[index] == veto) return index;
  }
  vetoes_.push_back(std::move(veto));
  return vetoes_.size() - 1;
}

void Relations::add_fixed(const Axis& axis, std::optional<std::int64_t> position, Veto veto) {
  if (size_of(axis) == kUnknownSize) return;
  fixed_.push_back({axis, position, veto_index(std::move(veto))});
}

void Relations::fix(const Axis& axis, const ir::Node& node, std::string_view reason) {
  add_fixed(axis, std::nullopt, {.where = node.label(), .reason = std::string(reason)});
}

void Relations::fix_position(const Axis& axis, std::int64_t position, const ir::Node& node,
                             std::string_view reason) {
  add_fixed(axis, position, {.where = node.label(), .reason = std::string(reason)});
}

void Relations::fix_value(const ir::Value& value, const Veto& veto) {
  const std::size_t rank = rank_of(&value).value_or(0);
  for (std::size_t axis = 0; axis < rank; ++axis) add_fixed({&value, axis}, std::nullopt, veto);
}

void Relations::veto(const ir::Node& node, std::string_view reason) {
  const Veto veto{.where = node.label(), .reason = std::string(reason)};
  for (const auto* values : {&node.inputs(), &node.outputs()}) {
    for (const ir::Value* value : *values) {
      if (value != nullptr) fix_value(*value, veto);
    }
  }
}

void Relations::contract(const ir::Node& node, std::size_t port, std::size_t axis) {
  contractions_.push_back({&node, port, axis});
}

bool Relations::takes_whole_groups(const ir::Node& node, std::int64_t groups, bool preferred) {
  bool whole = preferred;
  if (earlier_) {
    const auto chosen = earlier_->whole_groups.find(node.name());
    if (chosen == earlier_->whole_groups.end()) return false;
    whole = chosen->second;
  } else if (groups <= 1) {
    return false;
  }
  choices_.whole_groups.emplace(node.name(), whole);
  return whole;
}

void Relations::choose(const ir::Node& node, BlockChoice choice) {
  choices_.blocks[node.name()].push_back(std::move(choice));
}

const BlockChoice* Relations::earlier_block(const ir::Node& node, std::size_t input_axis,
                                            std::size_t output_axis) const {
  if (!earlier_) return nullptr;
  const auto blocks = earlier_->blocks.find(node.name());
  if (blocks == earlier_->blocks.end()) return nullptr;
  const auto holds = [&](const BlockChoice& block) {
    return std::ranges::find(block.inputs, input_axis) != block.inputs.end() ||
           std::ranges::find(block.outputs, output_axis) != block.outputs.end();
  };
  const auto place = std::ranges::find_if(blocks->second, holds);
  return place == blocks->second.end() ? nullptr : &*place;
}

Relations find_relations(const ir::Graph& graph, std::optional<CouplingChoices> earlier) {
  Relations relations(std::move(earlier));
  for (const ir::Node* node : graph.nodes()) relate(*node, relations);
  for (const ir::Value* input : graph.inputs()) {
    relations.fix_value(*input, {.where = fmt::format("input '{}' of the graph", input->name()),
                                 .reason = "its shape is what callers give"});
  }
  for (const ir::Value* output : graph.outputs()) {
    relations.fix_value(*output, {.where = fmt::format("output '{}' of the graph", output->name()),
                                  .reason = "its shape is what callers expect"});
  }
  return relations;
}

}  // namespace espalier::prune
