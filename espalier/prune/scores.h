#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/prune/channel_map.h"
#include "espalier/prune/criterion.h"
#include "espalier/prune/filter_changes.h"

namespace espalier::prune {

/// How the scores of the filters that hang together become the score of their channel.
enum class Reduction {
  Mean,
  Max,
  Norm,  ///< root of the sum of squares
  First  ///< that of the first filter of the group's first layer
};

/// How scores of different groups become comparable.
enum class Scaling {
  None,       ///< as they are
  GroupMean,  ///< divided by the group's mean
  GroupMax,   ///< divided by the group's largest
  GroupNorm,  ///< divided by the root of the group's sum of squares
  GlobalMean  ///< divided by the mean of all groups: the order between groups stays
};

/// "mean", "max", "norm", "first". Throws UserError with a suggestion for another name.
[[nodiscard]] Reduction parse_reduction(std::string_view name);
[[nodiscard]] std::string_view to_string(Reduction reduction);
/// "none", "group_mean", "group_max", "group_norm", "global_mean".
[[nodiscard]] Scaling parse_scaling(std::string_view name);
[[nodiscard]] std::string_view to_string(Scaling scaling);

struct ScoreOptions {
  std::string criterion = "l1";
  Reduction reduction = Reduction::Mean;
  Scaling scaling = Scaling::GroupMean;
  std::uint64_t seed = 0;                  ///< of criterion `random`
  FilterChanges changes = {};              ///< for criterion `taylor`
  exec::TensorMap squared_gradients = {};  ///< means, by initializer: for criterion `fisher`
};

/// Scores of the channels of one group.
struct GroupScores {
  std::vector<double> scores = {};  ///< in the order of ChannelGroup::channels; or empty
  std::string missing = {};         ///< why there are none
};

/// Scores of all groups of the map, in their order. Groups that the criterion cannot judge (no
/// normalization for bn_scale, computed weights) have none and say why. Throws UserError for an
/// unknown criterion, for gradients that are missing or have other sizes than their weight, and for
/// weights that are not finite.
[[nodiscard]] std::vector<GroupScores> score_channels(const ChannelMap& map,
                                                      const ScoreOptions& options);

}  // namespace espalier::prune
