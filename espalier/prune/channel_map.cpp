#include "espalier/prune/channel_map.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/prune/disjoint_sets.h"
#include "espalier/prune/reshape_blocks.h"

namespace espalier::prune {
namespace {

constexpr std::size_t kMostElements = std::size_t{1} << 27;
constexpr std::size_t kMostVetoes = 8;

std::vector<const ir::Value*> values_of(const ir::Graph& graph) {
  std::vector<const ir::Value*> values(graph.inputs().begin(), graph.inputs().end());
  for (const ir::Value* initializer : graph.initializers()) values.push_back(initializer);
  for (const ir::Node* node : graph.nodes()) {
    for (const ir::Value* output : node->outputs()) {
      if (output != nullptr) values.push_back(output);
    }
  }
  return values;
}

}  // namespace

/// Fills a ChannelMap. Elements are the positions of all index spaces, one behind another.
class ChannelMapBuilder {
 public:
  ChannelMapBuilder(const ir::Graph& graph, ChannelMap& map) : graph_(graph), map_(map) {}

  void build() {
    number_axes();
    make_spaces();
    elements_ = DisjointSets(map_.space_starts_.back());
    fixed_.assign(elements_.size(), false);
    for (const Run& run : map_.relations_.runs()) join_run(run);
    for (const FixedPositions& fixed : map_.relations_.fixed()) fix(fixed);
    for (const ReshapeBlock& block : map_.relations_.blocks()) join_block(block);
    number_channels();
    find_groups();
  }

 private:
  void number_axes() {
    std::size_t count = 0;
    for (const ir::Value* value : values_of(graph_)) {
      map_.first_axes_[value] = count;
      count += rank_of(value).value_or(0);
      for (std::size_t axis = 0; axis < rank_of(value).value_or(0); ++axis) {
        axes_.push_back({value, axis});
      }
    }
  }

  [[nodiscard]] std::uint32_t axis_number(const Axis& axis) const {
    return static_cast<std::uint32_t>(map_.first_axes_.at(axis.value) + axis.axis);
  }

  void make_spaces() {
    DisjointSets sets(axes_.size());
    for (const SameAxis& pair : map_.relations_.same_axes()) {
      sets.join(axis_number(pair.first), axis_number(pair.second));
    }
    std::vector<std::uint32_t> space_of(axes_.size(), kNoChannel);
    map_.spaces_.resize(axes_.size());
    map_.space_starts_.push_back(0);
    for (std::uint32_t axis = 0; axis < axes_.size(); ++axis) {
      std::uint32_t& space = space_of[sets.find(axis)];
      if (space == kNoChannel) {
        space = static_cast<std::uint32_t>(map_.space_starts_.size() - 1);
        const auto size = static_cast<std::size_t>(std::max<std::int64_t>(size_of(axes_[axis]), 0));
        map_.space_starts_.push_back(map_.space_starts_.back() + size);
        base::require_supported(map_.space_starts_.back() <= kMostElements,
                                "cannot find the channels of graph '{}': its axes have more than "
                                "{} positions",
                                graph_.name, kMostElements);
      }
      map_.spaces_[axis] = space;
    }
  }

  [[nodiscard]] std::uint32_t space(const Axis& axis) const {
    return map_.spaces_[axis_number(axis)];
  }
  [[nodiscard]] std::uint32_t element(const Axis& axis, std::int64_t position) const {
    return static_cast<std::uint32_t>(map_.space_starts_[space(axis)]) +
           static_cast<std::uint32_t>(position);
  }

  void join(std::uint32_t first, std::uint32_t second) {
    const bool fixed = fixed_[elements_.find(first)] || fixed_[elements_.find(second)];
    fixed_[elements_.join(first, second)] = fixed;
  }

  void join_run(const Run& run) {
    const std::int64_t last = run.count - 1;
    base::invariant(run.first_start + last * run.first_step < size_of(run.first) &&
                        run.second_start + last * run.second_step < size_of(run.second),
                    "a run leaves its axis");
    for (std::int64_t index = 0; index < run.count; ++index) {
      join(element(run.first, run.first_start + index * run.first_step),
           element(run.second, run.second_start + index * run.second_step));
    }
  }

  void fix(const FixedPositions& fixed) {
    if (fixed.position) {
      fixed_[elements_.find(element(fixed.axis, *fixed.position))] = true;
      return;
    }
    for (std::int64_t position = 0; position < size_of(fixed.axis); ++position) {
      fixed_[elements_.find(element(fixed.axis, position))] = true;
    }
  }

  void fix_for(const ReshapeBlock& block, const Axis& axis, std::string_view reason) {
    if (size_of(axis) == kUnknownSize) return;
    map_.relations_.fix(axis, *block.node, reason);
    fix(map_.relations_.fixed().back());
  }

  /// Sides of a reshape.
  enum class Side { Input, Output };

  /// Calls visit(coordinate of the factor, element, side) for every position of an axis that holds
  /// it.
  template <typename Visit>
  void for_each_coordinate(const ReshapeBlock& block, const Factor& factor, Visit visit) {
    const auto walk = [&](const Axis& axis, std::int64_t stride, Side side) {
      for (std::int64_t position = 0; position < size_of(axis); ++position) {
        visit(static_cast<std::uint32_t>(position / stride % factor.size), element(axis, position),
              side);
      }
    };
    walk(block.inputs[factor.input], factor.input_stride, Side::Input);
    walk(block.outputs[factor.output], factor.output_stride, Side::Output);
  }

  /// How many channels stay free to go when this factor is the one that loses positions, as far as
  /// what is fixed on some sides says.
  std::size_t free_choices(const ReshapeBlock& block, const Factor& factor,
                           const std::vector<Side>& sides) {
    DisjointSets local(static_cast<std::size_t>(factor.size));
    std::unordered_map<std::uint32_t, std::uint32_t> first_seen;
    std::vector<bool> fixed(static_cast<std::size_t>(factor.size), false);
    for_each_coordinate(block, factor,
                        [&](std::uint32_t coordinate, std::uint32_t element, Side side) {
                          const std::uint32_t root = elements_.find(element);
                          const auto [place, is_new] = first_seen.emplace(root, coordinate);
                          if (!is_new) local.join(coordinate, place->second);
                          const bool counts = std::ranges::find(sides, side) != sides.end();
                          if (counts && fixed_[root]) fixed[coordinate] = true;
                        });
    std::set<std::uint32_t> free;
    for (std::uint32_t index = 0; index < local.size(); ++index) free.insert(local.find(index));
    for (std::uint32_t index = 0; index < local.size(); ++index) {
      if (fixed[index]) free.erase(local.find(index));
    }
    return free.size();
  }

  /// The factor with the most choices, if any has more than one.
  const Factor* most_choices(const ReshapeBlock& block, const std::vector<Factor>& factors,
                             const std::vector<Side>& sides) {
    std::size_t most = 1;
    const Factor* chosen = nullptr;
    for (const Factor& factor : factors) {
      const std::size_t choices = free_choices(block, factor, sides);
      if (choices <= most) continue;
      most = choices;
      chosen = &factor;
    }
    return chosen;
  }

  /// The factor that may lose positions. Where none may, one that is fixed on one side alone: so
  /// the other side learns who forbids it.
  const Factor* choose(const ReshapeBlock& block, const std::vector<Factor>& factors) {
    const Factor* chosen = most_choices(block, factors, {Side::Input, Side::Output});
    if (chosen == nullptr) chosen = most_choices(block, factors, {Side::Input});
    if (chosen == nullptr) chosen = most_choices(block, factors, {Side::Output});
    return chosen;
  }

  /// The factor that was chosen before the graph was cut.
  [[nodiscard]] const Factor* earlier_choice(const ReshapeBlock& block,
                                             const std::vector<Factor>& factors) const {
    for (const Factor& factor : factors) {
      const std::pair axes(block.inputs[factor.input].axis, block.outputs[factor.output].axis);
      const BlockChoice* earlier =
          map_.relations_.earlier_block(*block.node, axes.first, axes.second);
      if (earlier != nullptr && earlier->chosen == axes) return &factor;
    }
    return nullptr;
  }

  void write_down(const ReshapeBlock& block, const Factor* chosen) {
    BlockChoice choice;
    for (const Axis& axis : block.inputs) choice.inputs.push_back(axis.axis);
    for (const Axis& axis : block.outputs) choice.outputs.push_back(axis.axis);
    if (chosen != nullptr) {
      choice.chosen = {block.inputs[chosen->input].axis, block.outputs[chosen->output].axis};
    }
    map_.relations_.choose(*block.node, std::move(choice));
  }

  /// One factor may lose positions; the others stay whole, so that what is left is a block again.
  void join_block(const ReshapeBlock& block) {
    std::vector<Axis> axes = block.inputs;
    axes.insert(axes.end(), block.outputs.begin(), block.outputs.end());
    const auto factors = factors_of(block);
    if (!factors) {
      for (const Axis& axis : axes) fix_for(block, axis, "it mixes axes that do not divide");
      return;
    }
    const Factor* chosen = map_.relations_.keeps_to_choices() ? earlier_choice(block, *factors)
                                                              : choose(block, *factors);
    write_down(block, chosen);
    for (std::size_t index = 0; index < axes.size(); ++index) {
      const bool is_input = index < block.inputs.size();
      const bool holds =
          chosen != nullptr &&
          (is_input ? chosen->input == index : chosen->output == index - block.inputs.size());
      if (!holds) fix_for(block, axes[index], "it is merged with or split from another axis");
    }
    if (chosen == nullptr) return;
    std::vector<std::uint32_t> first(static_cast<std::size_t>(chosen->size), kNoChannel);
    for_each_coordinate(block, *chosen, [&](std::uint32_t coordinate, std::uint32_t element, Side) {
      if (first[coordinate] == kNoChannel) {
        first[coordinate] = element;
      } else {
        join(first[coordinate], element);
      }
    });
  }

  [[nodiscard]] static std::optional<std::vector<Factor>> factors_of(const ReshapeBlock& block) {
    std::vector<std::int64_t> inputs;
    std::vector<std::int64_t> outputs;
    for (const Axis& axis : block.inputs) inputs.push_back(size_of(axis));
    for (const Axis& axis : block.outputs) outputs.push_back(size_of(axis));
    const auto unknown = [](std::int64_t size) { return size == kUnknownSize; };
    if (std::ranges::any_of(inputs, unknown) || std::ranges::any_of(outputs, unknown)) {
      return std::nullopt;
    }
    return common_factors(inputs, outputs);
  }

  void number_channels() {
    std::vector<ChannelId> numbers(elements_.size(), kNoChannel);
    map_.channels_.resize(elements_.size());
    for (std::uint32_t index = 0; index < elements_.size(); ++index) {
      const std::uint32_t root = elements_.find(index);
      if (numbers[root] == kNoChannel) {
        numbers[root] = static_cast<ChannelId>(map_.is_fixed_.size());
        map_.is_fixed_.push_back(fixed_[root]);
      }
      map_.channels_[index] = numbers[root];
    }
    for (const FixedPositions& fixed : map_.relations_.fixed()) {
      const auto along = map_.along(fixed.axis);
      const std::size_t begin = fixed.position ? static_cast<std::size_t>(*fixed.position) : 0;
      const std::size_t end = fixed.position ? begin + 1 : along.size();
      for (std::size_t position = begin; position < end; ++position) {
        auto& vetoes = map_.vetoes_[along[position]];
        const bool known = std::ranges::find(vetoes, fixed.veto) != vetoes.end();
        if (!known && vetoes.size() < kMostVetoes) vetoes.push_back(fixed.veto);
      }
    }
  }

  /// Spaces that each channel made by a layer touches, sorted.
  std::unordered_map<ChannelId, std::vector<std::uint32_t>> touched_spaces() {
    std::unordered_map<ChannelId, std::vector<std::uint32_t>> touched;
    for (const LayerAxes& layer : map_.layers()) {
      for (const ChannelId channel : map_.along(layer.filters)) touched[channel];
    }
    for (std::uint32_t index = 0; index + 1 < map_.space_starts_.size(); ++index) {
      for (std::size_t at = map_.space_starts_[index]; at < map_.space_starts_[index + 1]; ++at) {
        const auto place = touched.find(map_.channels_[at]);
        if (place == touched.end()) continue;
        if (place->second.empty() || place->second.back() != index) place->second.push_back(index);
      }
    }
    return touched;
  }

  void find_groups() {
    const auto touched = touched_spaces();
    std::map<std::vector<std::uint32_t>, std::size_t> group_of;
    std::vector<bool> placed(map_.num_channels(), false);
    for (std::size_t index = 0; index < map_.layers().size(); ++index) {
      const LayerAxes& layer = map_.layers()[index];
      std::size_t parts = 0;
      for (const ChannelId channel : map_.along(layer.filters)) {
        const auto [place, is_new] = group_of.emplace(touched.at(channel), map_.groups_.size());
        if (is_new) {
          ++parts;
          const std::string& name = layer.node->name();
          map_.groups_.push_back({.name = parts == 1 ? name : fmt::format("{}#{}", name, parts)});
        }
        ChannelGroup& group = map_.groups_[place->second];
        if (group.layers.empty() || group.layers.back() != index) group.layers.push_back(index);
        if (!placed[channel]) group.channels.push_back(channel);
        placed[channel] = true;
      }
    }
    for (ChannelGroup& group : map_.groups_) describe(group);
  }

  void describe(ChannelGroup& group) {
    std::unordered_map<ChannelId, std::int64_t> widths;
    for (const std::size_t index : group.layers) {
      std::unordered_map<ChannelId, std::int64_t> counts;
      for (const ChannelId channel : map_.along(map_.layers()[index].output)) ++counts[channel];
      for (const auto& [channel, count] : counts) {
        widths[channel] = std::max(widths[channel], count);
      }
    }
    for (std::size_t index = 0; index < group.channels.size(); ++index) {
      const ChannelId channel = group.channels[index];
      group.widths.push_back(widths[channel]);
      if (!map_.is_fixed(channel)) continue;
      group.fixed.push_back(index);
      for (Veto& veto : map_.vetoes_of(channel)) {
        const bool known = std::ranges::find(group.vetoes, veto) != group.vetoes.end();
        if (!known) group.vetoes.push_back(std::move(veto));
      }
    }
  }

  const ir::Graph& graph_;
  ChannelMap& map_;
  std::vector<Axis> axes_;
  DisjointSets elements_;
  std::vector<bool> fixed_;  ///< of each set, at its representative
};

ChannelMap::ChannelMap(const ir::Graph& graph, std::optional<CouplingChoices> earlier)
    : relations_(find_relations(graph, std::move(earlier))) {
  ChannelMapBuilder(graph, *this).build();
}

std::span<const ChannelId> ChannelMap::along(const Axis& axis) const {
  const auto place = first_axes_.find(axis.value);
  if (place == first_axes_.end() || size_of(axis) == kUnknownSize) return {};
  const std::uint32_t space = spaces_[place->second + axis.axis];
  return std::span(channels_).subspan(space_starts_[space],
                                      space_starts_[space + 1] - space_starts_[space]);
}

std::vector<Veto> ChannelMap::vetoes_of(ChannelId channel) const {
  std::vector<Veto> vetoes;
  const auto place = vetoes_.find(channel);
  if (place == vetoes_.end()) return vetoes;
  for (const std::size_t index : place->second) vetoes.push_back(relations_.vetoes()[index]);
  return vetoes;
}

}  // namespace espalier::prune
