#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/prune/channel_map.h"

namespace espalier::prune {

/// Filters of one layer that go, with everything that hangs together with them.
struct GroupCut {
  std::string group;        ///< name of the ChannelGroup, for readers; not needed to apply the cut
  std::string initializer;  ///< a weight that makes the channels
  std::int64_t axis = 0;    ///< the axis of it that counts filters
  std::vector<std::int64_t> removed = {};  ///< positions along that axis, ascending
  bool operator==(const GroupCut&) const = default;
};

/// What is cut from a model. Readable, editable, stored as text by recipe. Naming one layer of a
/// group is enough: what must go with it follows from the graph.
struct PrunePlan {
  std::string model_id;   ///< analysis::model_id of the graph; empty: any graph that fits
  std::string criterion;  ///< how channels were compared, for readers
  std::vector<GroupCut> cuts = {};
  bool operator==(const PrunePlan&) const = default;
};

/// Which channels of a graph go.
class Removal {
 public:
  explicit Removal(const ChannelMap& map) : map_(&map), removed_(map.num_channels(), false) {}

  void remove(ChannelId channel) { removed_[channel] = true; }
  [[nodiscard]] bool is_removed(ChannelId channel) const { return removed_[channel]; }
  [[nodiscard]] const ChannelMap& map() const { return *map_; }

  /// Positions of an axis that stay, ascending; for axes of unknown size nothing is ever removed,
  /// and this is empty.
  [[nodiscard]] std::vector<std::int64_t> kept(const Axis& axis) const;
  [[nodiscard]] std::int64_t num_kept(const Axis& axis) const;
  /// True when at least one position of the axis goes.
  [[nodiscard]] bool cuts(const Axis& axis) const;

 private:
  const ChannelMap* map_;
  std::vector<bool> removed_;
};

/// The channels that a plan removes from the graph of `map`. Throws UserError naming the entry when
/// the plan was made for another model, names an unknown initializer, axis or position, removes a
/// channel that must stay (with the reason), or removes all positions of an axis.
[[nodiscard]] Removal resolve(const PrunePlan& plan, const ChannelMap& map, const ir::Graph& graph);

/// The plan that removes these channels of the map's groups, one entry for each group that loses
/// some.
[[nodiscard]] PrunePlan make_plan(const Removal& removal, const ir::Graph& graph);

}  // namespace espalier::prune
