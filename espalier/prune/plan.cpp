#include "espalier/prune/plan.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>

#include "espalier/analysis/model_id.h"
#include "espalier/base/check.h"
#include "espalier/ops/weight.h"

namespace espalier::prune {
namespace {

[[noreturn]] void refuse(std::string where, std::string got, std::string expected,
                         std::string hint = "make the plan again for this model") {
  throw base::UserError({.what = "cannot apply the pruning plan",
                         .where = std::move(where),
                         .got = std::move(got),
                         .expected = std::move(expected),
                         .hint = std::move(hint)});
}

void check_model(const PrunePlan& plan, const ir::Graph& graph) {
  if (plan.model_id.empty()) return;
  const std::string id = analysis::model_id(graph);
  if (id == plan.model_id) return;
  refuse(fmt::format("graph '{}'", graph.name), fmt::format("model '{}'", id),
         fmt::format("model '{}', for which the plan was made", plan.model_id));
}

Axis axis_of(const GroupCut& cut, const ir::Graph& graph) {
  const std::string where = fmt::format("group '{}'", cut.group);
  const ir::Value* value = graph.find_value(cut.initializer);
  if (value == nullptr || !value->is_initializer()) {
    refuse(where, fmt::format("'{}'", cut.initializer), "an initializer of the graph");
  }
  if (cut.axis < 0 || cut.axis >= value->constant().dim()) {
    refuse(where, fmt::format("axis {} of '{}'", cut.axis, cut.initializer),
           fmt::format("0..{}", value->constant().dim() - 1));
  }
  return {value, static_cast<std::size_t>(cut.axis)};
}

void remove_positions(const GroupCut& cut, const Axis& axis, Removal& removal) {
  const std::string where = fmt::format("group '{}', '{}'", cut.group, cut.initializer);
  const auto channels = removal.map().along(axis);
  for (const std::int64_t position : cut.removed) {
    if (position < 0 || position >= static_cast<std::int64_t>(channels.size())) {
      refuse(where, fmt::format("position {}", position),
             fmt::format("0..{}", static_cast<std::int64_t>(channels.size()) - 1));
    }
    const ChannelId channel = channels[static_cast<std::size_t>(position)];
    if (removal.map().is_fixed(channel)) {
      const Veto veto = removal.map().vetoes_of(channel).at(0);
      refuse(where, fmt::format("position {}, which must stay", position),
             "positions that can be removed", fmt::format("{}: {}", veto.where, veto.reason));
    }
    removal.remove(channel);
  }
}

/// No axis of any value may lose everything.
void check_rest(const Removal& removal, const ir::Graph& graph) {
  const auto check = [&](const ir::Value* value) {
    for (std::size_t axis = 0; axis < rank_of(value).value_or(0); ++axis) {
      if (size_of({value, axis}) > 0 && removal.num_kept({value, axis}) == 0) {
        refuse(fmt::format("value '{}'", value->name()),
               fmt::format("all {} positions of axis {} removed", size_of({value, axis}), axis),
               "at least one that stays", "remove fewer channels");
      }
    }
  };
  for (const ir::Value* initializer : graph.initializers()) check(initializer);
  for (const ir::Node* node : graph.nodes()) {
    for (const ir::Value* output : node->outputs()) {
      if (output != nullptr) check(output);
    }
  }
}

}  // namespace

std::vector<std::int64_t> Removal::kept(const Axis& axis) const {
  std::vector<std::int64_t> positions;
  const auto channels = map_->along(axis);
  for (std::size_t position = 0; position < channels.size(); ++position) {
    if (!removed_[channels[position]]) positions.push_back(static_cast<std::int64_t>(position));
  }
  return positions;
}

std::int64_t Removal::num_kept(const Axis& axis) const {
  return std::ranges::count_if(map_->along(axis),
                               [&](ChannelId channel) { return !removed_[channel]; });
}

bool Removal::cuts(const Axis& axis) const {
  return std::ranges::any_of(map_->along(axis),
                             [&](ChannelId channel) { return removed_[channel]; });
}

Removal resolve(const PrunePlan& plan, const ChannelMap& map, const ir::Graph& graph) {
  check_model(plan, graph);
  Removal removal(map);
  for (const GroupCut& cut : plan.cuts) remove_positions(cut, axis_of(cut, graph), removal);
  check_rest(removal, graph);
  return removal;
}

namespace {

/// An initializer with an axis along which all channels of a group lie: the first layer's filters
/// where they are one.
std::optional<Axis> find_weight(const ChannelGroup& group, const ChannelMap& map,
                                const ir::Graph& graph) {
  const auto holds_all = [&](const Axis& axis) {
    const auto along = map.along(axis);
    const std::unordered_set<ChannelId> present(along.begin(), along.end());
    return std::ranges::all_of(group.channels,
                               [&](ChannelId channel) { return present.contains(channel); });
  };
  for (const std::size_t index : group.layers) {
    const Axis& filters = map.layers()[index].filters;
    const ir::Value* weight = ops::initializer_behind(filters.value);
    if (weight != nullptr && holds_all({weight, filters.axis})) return Axis{weight, filters.axis};
  }
  for (const ir::Value* initializer : graph.initializers()) {
    for (std::size_t axis = 0; axis < rank_of(initializer).value_or(0); ++axis) {
      if (holds_all({initializer, axis})) return Axis{initializer, axis};
    }
  }
  return std::nullopt;
}

}  // namespace

PrunePlan make_plan(const Removal& removal, const ir::Graph& graph) {
  const ChannelMap& map = removal.map();
  PrunePlan plan{.model_id = analysis::model_id(graph), .criterion = {}, .cuts = {}};
  for (const ChannelGroup& group : map.groups()) {
    std::unordered_set<ChannelId> removed;
    for (const ChannelId channel : group.channels) {
      if (removal.is_removed(channel)) removed.insert(channel);
    }
    if (removed.empty()) continue;
    const auto axis = find_weight(group, map, graph);
    base::require_supported(axis.has_value(),
                            "group '{}' cannot be written to a plan: its channels lie along no "
                            "initializer",
                            group.name);
    GroupCut cut{.group = group.name,
                 .initializer = axis->value->name(),
                 .axis = static_cast<std::int64_t>(axis->axis),
                 .removed = {}};
    const auto along = map.along(*axis);
    for (std::size_t position = 0; position < along.size(); ++position) {
      if (removed.contains(along[position])) {
        cut.removed.push_back(static_cast<std::int64_t>(position));
      }
    }
    plan.cuts.push_back(std::move(cut));
  }
  return plan;
}

}  // namespace espalier::prune
