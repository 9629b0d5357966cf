#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/prune/budget.h"

namespace espalier::prune {

/// How many channels of one group may go, and in which order they would.
struct Candidate {
  std::vector<ChannelId> order = {};       ///< free channels, least score first
  std::vector<double> scores = {};         ///< in that order
  std::vector<std::int64_t> counts = {0};  ///< numbers that may be removed, ascending, from 0
  std::int64_t channels = 0;               ///< of the whole group
  std::string untouched = {};              ///< why counts holds nothing but 0

  /// The number of `counts` that is nearest to `wanted`, the smaller of two.
  [[nodiscard]] std::int64_t nearest(double wanted) const;
};

/// The candidates of all groups of the map, in their order. Throws UserError for limits out of
/// range and patterns that match nothing.
[[nodiscard]] std::vector<Candidate> find_candidates(const ChannelMap& map,
                                                     const std::vector<GroupScores>& scores,
                                                     const Limits& limits);

/// The removal of the first counts[g] channels of each group's order.
[[nodiscard]] Removal remove_counts(const ChannelMap& map, const std::vector<Candidate>& candidates,
                                    const std::vector<std::int64_t>& counts);

}  // namespace espalier::prune
