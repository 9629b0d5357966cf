#include "espalier/prune/budget.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/name_match.h"
#include "espalier/prune/count_search.h"

namespace espalier::prune {
namespace {

constexpr std::array kKinds{std::pair{std::string_view("filters"), BudgetKind::Filters},
                            std::pair{std::string_view("macs"), BudgetKind::Macs},
                            std::pair{std::string_view("parameters"), BudgetKind::Parameters},
                            std::pair{std::string_view("bytes"), BudgetKind::Bytes}};
constexpr std::array kStrategies{std::pair{std::string_view("uniform"), Strategy::Uniform},
                                 std::pair{std::string_view("global"), Strategy::Global},
                                 std::pair{std::string_view("sensitivity"), Strategy::Sensitivity},
                                 std::pair{std::string_view("annealing"), Strategy::Annealing}};

template <typename Table>
auto parse(const Table& table, std::string_view name, std::string_view what) {
  std::vector<std::string> known;
  for (const auto& [known_name, value] : table) {
    if (known_name == name) return value;
    known.emplace_back(known_name);
  }
  throw base::UserError({.what = fmt::format("unknown {}", what),
                         .got = fmt::format("'{}'", name),
                         .hint = base::suggest_name(name, known)});
}

void check_curve(std::string_view group, const LossCurve& curve) {
  double previous = 0;
  for (const LossCurve::Point& point : curve.points) {
    base::check(point.removed >= previous && point.removed < 1,
                "sensitivity curve of '{}': got share {} after {}, expected ascending shares in "
                "[0, 1)",
                group, point.removed, previous);
    base::check(std::isfinite(point.loss), "sensitivity curve of '{}': got loss {} at share {}",
                group, point.loss, point.removed);
    previous = point.removed;
  }
}

void check_options(const ChannelMap& map, const BudgetOptions& options) {
  base::check(options.remaining > 0 && options.remaining <= 1,
              "share of {} that remains: got {}, expected a number in (0, 1]",
              to_string(options.kind), options.remaining);
  std::vector<std::string> known;
  for (const ChannelGroup& group : map.groups()) known.push_back(group.name);
  for (const auto& [name, curve] : options.curves) {
    if (std::ranges::find(known, name) == known.end()) {
      throw base::UserError({.what = "a sensitivity curve belongs to no channel group",
                             .got = fmt::format("'{}'", name),
                             .hint = base::suggest_name(name, known)});
    }
    check_curve(name, curve);
  }
  const AnnealingOptions& annealing = options.annealing;
  base::check(annealing.iterations >= 0 && annealing.temperature > 0 && annealing.cooling > 0 &&
                  annealing.cooling < 1,
              "annealing: got {} iterations, temperature {}, cooling {}, expected at least 0, a "
              "positive number, a number in (0, 1)",
              annealing.iterations, annealing.temperature, annealing.cooling);
}

/// "3 of 9 groups cannot be cut: 'fc' (output 'y' of the graph: ...), ..."
std::string untouched_text(const std::vector<GroupOutcome>& groups) {
  constexpr std::size_t kListed = 3;
  std::size_t count = 0;
  std::string listed;
  for (const GroupOutcome& group : groups) {
    if (group.untouched.empty()) continue;
    if (count++ < kListed) {
      listed +=
          fmt::format("{}'{}' ({})", listed.empty() ? "" : ", ", group.group, group.untouched);
    }
  }
  if (groups.empty()) return "no layer with weights was found";
  if (count == 0) return "no group could be left out";
  return fmt::format("{} of {} groups lose nothing: {}{}", count, groups.size(), listed,
                     count > kListed ? ", ..." : "");
}

/// What kept the groups that gave from giving more: "no group may lose more than 90 % of its
/// channels, and widths stay multiples of 16; ...".
std::string limits_text(const CountSearch& search, const std::vector<GroupOutcome>& groups,
                        const BudgetOptions& options) {
  std::size_t by_limits = 0;
  std::size_t by_curves = 0;
  for (std::size_t index = 0; index < groups.size(); ++index) {
    const std::vector<std::int64_t>& counts = search.candidates()[index].counts;
    if (counts.size() == 1) continue;
    ++(groups[index].removed < counts.back() ? by_curves : by_limits);
  }
  std::string text;
  if (by_limits > 0) {
    text += fmt::format("; no group may lose more than {:.0f} % of its channels",
                        100 * options.limits.max_removed);
    if (options.limits.align > 1) {
      text += fmt::format(", and widths stay multiples of {} (align)", options.limits.align);
    }
  }
  if (by_curves > 0) {
    text += fmt::format("; the sensitivity curves of {} of {} groups end before their limits",
                        by_curves, groups.size());
  }
  return text;
}

/// Plan, costs and groups of a choice.
BudgetResult describe(const ir::Graph& graph, const ChannelMap& map, const CountSearch& search,
                      const CountSearch::Counts& counts, const BudgetOptions& options) {
  BudgetResult result{.plan = make_plan(search.removal(counts), graph),
                      .before = search.before(),
                      .after = search.cost(counts)};
  bool any = false;
  for (std::size_t index = 0; index < counts.size(); ++index) {
    const Candidate& candidate = search.candidates()[index];
    GroupOutcome outcome{.group = map.groups()[index].name,
                         .channels = candidate.channels,
                         .removed = counts[index],
                         .untouched = candidate.untouched};
    any = any || outcome.untouched.empty();
    result.groups.push_back(std::move(outcome));
  }
  base::check(any || options.may_be_done, "nothing of graph '{}' can be cut: {}", graph.name,
              untouched_text(result.groups));
  const auto whole = static_cast<double>(amount(result.before, options.kind));
  base::check(whole > 0, "graph '{}' has no {} to remove", graph.name, to_string(options.kind));
  result.remaining = static_cast<double>(amount(result.after, options.kind)) / whole;
  return result;
}

}  // namespace

BudgetKind parse_budget_kind(std::string_view name) {
  return parse(kKinds, name, "kind of pruning budget");
}

std::string_view to_string(BudgetKind kind) {
  return kKinds[static_cast<std::size_t>(kind)].first;
}

Strategy parse_strategy(std::string_view name) {
  return parse(kStrategies, name, "pruning strategy");
}

std::string_view to_string(Strategy strategy) {
  return kStrategies[static_cast<std::size_t>(strategy)].first;
}

std::int64_t amount(const NetworkCost& cost, BudgetKind kind) {
  switch (kind) {
    case BudgetKind::Filters:
      return cost.filters;
    case BudgetKind::Macs:
      return cost.macs;
    case BudgetKind::Parameters:
      return cost.parameters;
    case BudgetKind::Bytes:
      break;
  }
  return cost.bytes;
}

double share_after(double remaining, std::int64_t step, std::int64_t steps) {
  return std::pow(remaining, static_cast<double>(step) / static_cast<double>(steps));
}

std::string missed_text(BudgetKind kind, double wanted, double remaining,
                        std::string_view held_by) {
  // One digit, or what is needed to tell a share from none.
  const std::string asked =
      wanted < 0.001 ? fmt::format("{:.1g}", 100 * wanted) : fmt::format("{:.1f}", 100 * wanted);
  return fmt::format("asked to keep at most {} % of the {}, reached {:.1f} %: {}", asked,
                     to_string(kind), 100 * remaining, held_by);
}

BudgetResult meet_budget(const ir::Graph& graph, const ChannelMap& map,
                         const std::vector<GroupScores>& scores, const BudgetOptions& options) {
  check_options(map, options);
  base::check(options.strategy != Strategy::Sensitivity || !options.curves.empty(),
              "pruning by sensitivities needs the curve of at least one channel group, got none");
  const CountSearch search(graph, map, scores, options);
  const CountSearch::Counts counts = search.find();
  BudgetResult result = describe(graph, map, search, counts, options);
  result.reached = search.fits(counts);
  result.held_by = untouched_text(result.groups) + limits_text(search, result.groups, options);
  if (!result.reached) {
    result.reason = missed_text(options.kind, options.remaining, result.remaining, result.held_by);
  }
  return result;
}

BudgetResult meet_loss(const ir::Graph& graph, const ChannelMap& map,
                       const std::vector<GroupScores>& scores, double loss,
                       const BudgetOptions& options) {
  BudgetOptions by_curves = options;
  by_curves.strategy = Strategy::Sensitivity;
  by_curves.remaining = 1;
  check_options(map, by_curves);
  base::check(loss >= 0, "loss that pruning may cost: got {}, expected at least 0", loss);
  base::check(!options.curves.empty(),
              "pruning to a loss needs the curve of at least one channel group, got none");
  const CountSearch search(graph, map, scores, by_curves);
  BudgetResult result = describe(graph, map, search, search.counts_for_loss(loss), by_curves);
  result.reached = true;
  return result;
}

}  // namespace espalier::prune
