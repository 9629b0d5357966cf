#pragma once

#include <cstdint>
#include <vector>

#include "espalier/base/random.h"
#include "espalier/prune/budget.h"
#include "espalier/prune/candidates.h"

namespace espalier::prune {

/// Finds how many channels each group loses for a budget. Levels go from 0 (nothing removed) to 1
/// (everything that may go); a higher level never removes less of any group. The graph, the map and
/// the options must outlive the search.
class CountSearch {
 public:
  using Counts = std::vector<std::int64_t>;  ///< one for each group of the map

  CountSearch(const ir::Graph& graph, const ChannelMap& map, const std::vector<GroupScores>& scores,
              const BudgetOptions& options);

  [[nodiscard]] const std::vector<Candidate>& candidates() const { return candidates_; }
  [[nodiscard]] const NetworkCost& before() const { return before_; }
  [[nodiscard]] Removal removal(const Counts& counts) const {
    return remove_counts(map_, candidates_, counts);
  }
  [[nodiscard]] NetworkCost cost(const Counts& counts) const {
    return model_.cost(removal(counts));
  }
  /// True when at most the share asked for remains.
  [[nodiscard]] bool fits(const Counts& counts) const;

  /// Counts that fit, with as little removed as the strategy allows; the most that may be removed
  /// where nothing fits.
  [[nodiscard]] Counts find() const;
  /// What each group's curve allows for this loss, rounded down to widths that are allowed.
  [[nodiscard]] Counts counts_for_loss(double loss) const;

 private:
  [[nodiscard]] double wanted(std::size_t index, double level) const;
  [[nodiscard]] Counts counts_at(double level) const;
  [[nodiscard]] Counts between(const Counts& less, const Counts& more, double share) const;
  [[nodiscard]] Counts bisect() const;
  [[nodiscard]] Counts step_back(const Counts& less, Counts counts) const;
  [[nodiscard]] double worth(std::size_t index, std::int64_t count) const;
  [[nodiscard]] bool leaves_the_others(const Counts& counts, std::size_t index) const;
  [[nodiscard]] Counts give_back(Counts counts) const;
  [[nodiscard]] double loss(const Counts& counts) const;
  [[nodiscard]] Counts anneal(const Counts& start) const;
  void tighten(Counts& counts, base::Random& random) const;

  const ChannelMap& map_;
  const BudgetOptions& options_;
  CostModel model_;
  std::vector<Candidate> candidates_;
  NetworkCost before_;
  std::vector<double> sorted_scores_;
  double largest_loss_ = 0;
};

}  // namespace espalier::prune
