#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/prune/cost_model.h"
#include "espalier/prune/loss_curve.h"
#include "espalier/prune/scores.h"

namespace espalier::prune {

/// What is counted.
enum class BudgetKind { Filters, Macs, Parameters, Bytes };
/// "filters", "macs", "parameters", "bytes". Throws UserError with a suggestion for another name.
[[nodiscard]] BudgetKind parse_budget_kind(std::string_view name);
[[nodiscard]] std::string_view to_string(BudgetKind kind);
[[nodiscard]] std::int64_t amount(const NetworkCost& cost, BudgetKind kind);

/// How much each group gives.
enum class Strategy {
  Uniform,      ///< the same share of every group
  Global,       ///< the channels with the least scores, wherever they are
  Sensitivity,  ///< what each group's curve allows for the same loss
  Annealing     ///< search for the least loss within the budget
};
/// "uniform", "global", "sensitivity", "annealing".
[[nodiscard]] Strategy parse_strategy(std::string_view name);
[[nodiscard]] std::string_view to_string(Strategy strategy);

/// Which channels may go at all.
struct Limits {
  std::int64_t align = 16;     ///< a layer keeps a multiple of this many filters, or all; 1: any
  std::int64_t min_width = 1;  ///< filters that a layer keeps at least
  double max_removed = 0.9;    ///< share of a group's channels, below 1
  std::vector<std::string> skip = {};  ///< globs over names of layers and of their weights
  bool cut_first = true;               ///< the filters of the graph's first layer
  bool cut_last = true;                ///< those of its last
  /// Channels that groups have lost before, by name: `max_removed` counts them.
  std::map<std::string, std::int64_t, std::less<>> gone = {};
};

struct AnnealingOptions {
  std::int64_t iterations = 300;
  double temperature = 10.24;  ///< of the first step, in units of the loss
  double cooling = 0.85;       ///< factor after every step
  std::uint64_t seed = 0;
  /// Loss of a removal; empty: the sum of the curves, or of the removed channels' scores where
  /// there are no curves.
  std::function<double(const Removal& removal)> loss = {};
};

struct BudgetOptions {
  BudgetKind kind = BudgetKind::Macs;
  double remaining = 0.5;  ///< share that remains, in (0, 1]
  Strategy strategy = Strategy::Uniform;
  Limits limits = {};
  std::map<std::string, LossCurve, std::less<>> curves = {};  ///< by group name
  AnnealingOptions annealing = {};
  NodeMacs macs = {};        ///< of the nodes; empty: as the graph's own shapes say
  bool may_be_done = false;  ///< a graph in which nothing more can be cut is no error
};

/// What remains after `step` (from 1) of `steps` cuts on the way to `remaining`: equal factors.
[[nodiscard]] double share_after(double remaining, std::int64_t step, std::int64_t steps);

/// GroupOutcome::untouched of a group of which the curves say nothing.
inline constexpr std::string_view kNoCurve = "it has no sensitivity curve";

/// What happens to one group.
struct GroupOutcome {
  std::string group;
  std::int64_t channels = 0;
  std::int64_t removed = 0;
  std::string untouched = {};  ///< why it may not lose any; empty where it may
};

/// A choice of channels for a budget.
struct BudgetResult {
  PrunePlan plan = {};
  NetworkCost before = {};
  NetworkCost after = {};
  double remaining = 1;  ///< share of the budget's kind that remains
  bool reached = false;
  /// What keeps channels in place: groups that lose nothing, limits, curves; also where reached.
  std::string held_by = {};
  std::string reason = {};                ///< where not reached: missed_text of these options
  std::vector<GroupOutcome> groups = {};  ///< in the map's order
};

/// "asked to keep at most 40.0 % of the macs, reached 52.1 %: " and what keeps channels in place.
[[nodiscard]] std::string missed_text(BudgetKind kind, double wanted, double remaining,
                                      std::string_view held_by);

/// Chooses channels so that at most `remaining` of the graph's cost stays, as near to it as the
/// limits allow. Within a group the channels with the least scores go. Deterministic.
/// Throws UserError for numbers out of range, patterns that match nothing, curves of unknown
/// groups, scores of another map, and a graph in which nothing can be cut.
[[nodiscard]] BudgetResult meet_budget(const ir::Graph& graph, const ChannelMap& map,
                                       const std::vector<GroupScores>& scores,
                                       const BudgetOptions& options);

/// Chooses channels so that no group alone costs more than `loss` by its curve (`options.curves`);
/// the widths that stay are rounded up to what the limits allow, and groups without a curve keep
/// everything. Of the other options only `limits` and `kind` count: `remaining` of the result is a
/// share of that kind, `reached` is true. Throws as meet_budget does, and for a loss below 0 or no
/// curves.
[[nodiscard]] BudgetResult meet_loss(const ir::Graph& graph, const ChannelMap& map,
                                     const std::vector<GroupScores>& scores, double loss,
                                     const BudgetOptions& options);

}  // namespace espalier::prune
