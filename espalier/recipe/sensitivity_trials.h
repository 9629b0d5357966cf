#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/prune/candidates.h"
#include "espalier/prune/scores.h"

namespace espalier::recipe {

/// A share of a group's channels to try.
struct Trial {
  double ratio = 0;          ///< asked for
  std::int64_t removed = 0;  ///< channels: the nearest number
};

/// One group and what is tried on it.
struct GroupTrials {
  std::string group = {};
  std::int64_t channels = 0;
  std::vector<Trial> trials = {};            ///< by ratio, ascending
  std::vector<prune::PrunePlan> plans = {};  ///< one a trial; without cuts where nothing goes
  /// What all trials leave unchanged and the output can be computed from; see prune::find_frontier.
  std::vector<std::string> frontier = {};
  bool changes_output = true;  ///< false: no trial changes the output that is measured
};

struct TrialOptions {
  std::vector<double> ratios = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
  std::vector<std::string> groups = {};  ///< globs over group names; empty: all
  prune::ScoreOptions scores = {};
};

/// A group that is left out, and why.
struct UntouchedGroup {
  std::string group;
  std::string reason;
};

struct TrialPlan {
  std::vector<GroupTrials> groups = {};  ///< in the graph's order
  std::vector<UntouchedGroup> untouched = {};
};

/// Everything to measure on a graph whose types are inferred. Throws UserError for ratios outside
/// of [0, 1) or twice the same, patterns that match nothing, and a graph of which nothing can be
/// cut.
[[nodiscard]] TrialPlan plan_trials(const ir::Graph& graph, const TrialOptions& options);

}  // namespace espalier::recipe
