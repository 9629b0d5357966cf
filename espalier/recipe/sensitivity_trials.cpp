#include "espalier/recipe/sensitivity_trials.h"

#include <algorithm>
#include <unordered_map>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/name_match.h"
#include "espalier/prune/frontier.h"

namespace espalier::recipe {
namespace {

std::vector<double> checked_ratios(std::vector<double> ratios) {
  base::check(!ratios.empty(), "no ratios to try");
  std::ranges::sort(ratios);
  for (const double ratio : ratios) {
    base::check(ratio >= 0 && ratio < 1, "ratio of channels to remove: got {}, expected [0, 1)",
                ratio);
  }
  const auto twice = std::ranges::adjacent_find(ratios);
  base::check(twice == ratios.end(), "ratio of channels to remove: got {} twice",
              twice == ratios.end() ? 0 : *twice);
  return ratios;
}

/// For each group whether a pattern chooses it.
std::vector<bool> chosen_groups(const prune::ChannelMap& map,
                                const std::vector<std::string>& patterns) {
  std::vector<bool> chosen(map.groups().size(), patterns.empty());
  std::vector<std::string> names;
  for (const prune::ChannelGroup& group : map.groups()) names.push_back(group.name);
  for (const std::string& pattern : patterns) {
    bool any = false;
    for (std::size_t index = 0; index < names.size(); ++index) {
      if (!base::matches_glob(pattern, names[index])) continue;
      chosen[index] = true;
      any = true;
    }
    if (any) continue;
    throw base::UserError({.what = "a pattern of channel groups matches nothing",
                           .got = fmt::format("'{}'", pattern),
                           .hint = base::suggest_name(pattern, names)});
  }
  return chosen;
}

/// Makes the trials of one group.
class Planner {
 public:
  Planner(const ir::Graph& graph, const prune::ChannelMap& map,
          const std::vector<prune::Candidate>& candidates, const TrialOptions& options)
      : graph_(graph),
        map_(map),
        candidates_(candidates),
        ratios_(checked_ratios(options.ratios)),
        criterion_(options.scores.criterion) {}

  [[nodiscard]] GroupTrials plan(std::size_t index) const {
    const prune::Candidate& candidate = candidates_[index];
    GroupTrials result{.group = map_.groups()[index].name, .channels = candidate.channels};
    std::vector<std::int64_t> counts(candidates_.size(), 0);
    for (const double ratio : ratios_) {
      counts[index] = candidate.nearest(ratio * static_cast<double>(candidate.channels));
      const prune::Removal removal = prune::remove_counts(map_, candidates_, counts);
      prune::PrunePlan plan = prune::make_plan(removal, graph_);
      plan.criterion = criterion_;
      result.trials.push_back({.ratio = ratio, .removed = counts[index]});
      result.plans.push_back(std::move(plan));
    }
    // Trials only add channels in one order: what the largest leaves unchanged, all do.
    const auto frontier = prune::find_frontier(
        graph_, prune::remove_counts(map_, candidates_, counts), *graph_.outputs().at(0));
    result.changes_output = frontier.has_value();
    if (frontier) result.frontier = *frontier;
    return result;
  }

 private:
  const ir::Graph& graph_;
  const prune::ChannelMap& map_;
  const std::vector<prune::Candidate>& candidates_;
  std::vector<double> ratios_;
  std::string criterion_;
};

/// Position in the graph's order of the first layer of each group.
std::vector<std::size_t> places_of(const ir::Graph& graph, const prune::ChannelMap& map) {
  std::unordered_map<const ir::Node*, std::size_t> order;
  for (const ir::Node* node : graph.nodes()) order.emplace(node, order.size());
  std::vector<std::size_t> places;
  for (const prune::ChannelGroup& group : map.groups()) {
    std::size_t first = order.size();
    for (const std::size_t layer : group.layers) {
      first = std::min(first, order.at(map.layers()[layer].node));
    }
    places.push_back(first);
  }
  return places;
}

[[noreturn]] void nothing_to_cut(const ir::Graph& graph, const TrialPlan& plan) {
  constexpr std::size_t kListed = 3;
  std::string listed;
  for (std::size_t index = 0; index < std::min(kListed, plan.untouched.size()); ++index) {
    const UntouchedGroup& group = plan.untouched[index];
    listed += fmt::format("{}'{}' ({})", index == 0 ? "" : ", ", group.group, group.reason);
  }
  throw base::UserError({.what = fmt::format("nothing of graph '{}' can be cut", graph.name),
                         .got = listed.empty() ? "no layers with channels" : listed,
                         .expected = "at least one channel group"});
}

}  // namespace

TrialPlan plan_trials(const ir::Graph& graph, const TrialOptions& options) {
  const std::vector<double> ratios = checked_ratios(options.ratios);
  const prune::ChannelMap map(graph);
  const std::vector<bool> chosen = chosen_groups(map, options.groups);
  const auto scores = prune::score_channels(map, options.scores);
  const auto candidates =
      prune::find_candidates(map, scores, {.align = 1, .max_removed = ratios.back()});
  const Planner planner(graph, map, candidates, options);
  const std::vector<std::size_t> places = places_of(graph, map);
  std::vector<std::size_t> order;
  TrialPlan result;
  for (std::size_t index = 0; index < candidates.size(); ++index) {
    if (!chosen[index]) continue;
    if (candidates[index].untouched.empty()) {
      order.push_back(index);
    } else {
      result.untouched.push_back({map.groups()[index].name, candidates[index].untouched});
    }
  }
  std::ranges::stable_sort(order, {}, [&](std::size_t index) { return places[index]; });
  for (const std::size_t index : order) result.groups.push_back(planner.plan(index));
  if (result.groups.empty()) nothing_to_cut(graph, result);
  return result;
}

}  // namespace espalier::recipe
