#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/prune/relations.h"

namespace espalier::prune {

/// A set of positions, along axes of many values, that can only be removed together.
using ChannelId = std::uint32_t;
inline constexpr ChannelId kNoChannel = std::numeric_limits<ChannelId>::max();

/// Channels that touch the same axes: a layer's filters with everything that follows from them.
/// Channels of one group may replace each other, so choices are made within groups.
struct ChannelGroup {
  std::string name;                      ///< that of the first layer; "name#2" when it has several
  std::vector<ChannelId> channels = {};  ///< in the order of the first layer's filters
  /// Positions of each channel along the axis of the first layer that holds most of them: 1 unless
  /// groups, shuffles or multipliers tie several together.
  std::vector<std::int64_t> widths = {};
  /// Layers whose filters make these channels, by position in ChannelMap::layers().
  std::vector<std::size_t> layers = {};
  std::vector<std::size_t> fixed = {};  ///< by position in `channels`: those that cannot be removed
  std::vector<Veto> vetoes = {};        ///< why, each reason once
  /// True when at least two channels can be told apart and one may go.
  [[nodiscard]] bool can_be_cut() const {
    return channels.size() > 1 && fixed.size() < channels.size();
  }
};

/// Which positions of which axes hang together in a graph, found from the index maps of its
/// operators (find_relations) by union-find; axes that correspond one to one share their
/// positions, which keeps large networks fast. The graph must outlive the map and stay unchanged;
/// its types must be inferred.
class ChannelMap {
 public:
  /// `earlier`: choices of a graph that this one was cut from, to keep to. Throws UnsupportedError
  /// for graphs whose axes have more than 2^27 positions together.
  explicit ChannelMap(const ir::Graph& graph,
                      std::optional<CouplingChoices> earlier = std::nullopt);

  [[nodiscard]] std::size_t num_channels() const { return is_fixed_.size(); }
  /// Channel of every position along an axis; empty when the size is unknown.
  [[nodiscard]] std::span<const ChannelId> along(const Axis& axis) const;
  /// True when the channel cannot be removed.
  [[nodiscard]] bool is_fixed(ChannelId channel) const { return is_fixed_[channel]; }
  /// Why (at most 8 reasons).
  [[nodiscard]] std::vector<Veto> vetoes_of(ChannelId channel) const;

  [[nodiscard]] const std::vector<ChannelGroup>& groups() const { return groups_; }
  /// Layers with weights, in graph order.
  [[nodiscard]] const std::vector<LayerAxes>& layers() const { return relations_.layers(); }
  /// Per-channel factors of normalizations, in graph order.
  [[nodiscard]] const std::vector<ScaleAxes>& scales() const { return relations_.scales(); }
  /// Which ways the operators took that have several.
  [[nodiscard]] const CouplingChoices& choices() const { return relations_.choices(); }
  /// Where removed channels must read as zero for the rest to stay the same.
  [[nodiscard]] const std::vector<Contraction>& contractions() const {
    return relations_.contractions();
  }

 private:
  friend class ChannelMapBuilder;

  Relations relations_;
  std::unordered_map<const ir::Value*, std::size_t> first_axes_;  ///< into spaces_
  std::vector<std::uint32_t> spaces_;      ///< index space of each axis of each value
  std::vector<std::size_t> space_starts_;  ///< first element of each space; one more at the end
  std::vector<ChannelId> channels_;        ///< of each element
  std::vector<bool> is_fixed_;             ///< of each channel
  std::unordered_map<ChannelId, std::vector<std::size_t>> vetoes_;
  std::vector<ChannelGroup> groups_;
};

}  // namespace espalier::prune
