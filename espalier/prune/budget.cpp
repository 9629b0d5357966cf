#include "espalier/prune/budget.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/name_match.h"
#include "espalier/base/random.h"
#include "espalier/prune/candidates.h"

namespace espalier::prune {
namespace {

using Counts = std::vector<std::int64_t>;

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
    const bool ascends = std::ranges::is_sorted(curve.points, {}, &LossCurve::Point::removed);
    base::check(ascends, "sensitivity curve of '{}': shares do not ascend", name);
  }
  const AnnealingOptions& annealing = options.annealing;
  base::check(annealing.iterations >= 0 && annealing.temperature > 0 && annealing.cooling > 0 &&
                  annealing.cooling < 1,
              "annealing: got {} iterations, temperature {}, cooling {}, expected at least 0, a "
              "positive number, a number in (0, 1)",
              annealing.iterations, annealing.temperature, annealing.cooling);
}

/// Finds counts for a budget. Levels go from 0 (nothing removed) to 1 (everything that may go), and
/// a higher level never removes less of any group.
class Search {
 public:
  Search(const ir::Graph& graph, const ChannelMap& map, const std::vector<GroupScores>& scores,
         const BudgetOptions& options)
      : map_(map),
        options_(options),
        model_(graph, map),
        candidates_(find_candidates(map, scores, options.limits)),
        before_(model_.cost(Removal(map))),
        target_(options.remaining * static_cast<double>(amount(before_, options.kind))) {
    for (const Candidate& candidate : candidates_) {
      sorted_scores_.insert(sorted_scores_.end(), candidate.scores.begin(), candidate.scores.end());
    }
    std::ranges::sort(sorted_scores_);
    for (const auto& [name, curve] : options.curves) {
      for (const LossCurve::Point& point : curve.points) {
        largest_loss_ = std::max(largest_loss_, point.loss);
      }
    }
  }

  [[nodiscard]] const std::vector<Candidate>& candidates() const { return candidates_; }
  [[nodiscard]] const NetworkCost& before() const { return before_; }
  [[nodiscard]] Removal removal(const Counts& counts) const {
    return remove_counts(map_, candidates_, counts);
  }
  [[nodiscard]] NetworkCost cost(const Counts& counts) const {
    return model_.cost(removal(counts));
  }
  [[nodiscard]] bool fits(const Counts& counts) const {
    return static_cast<double>(amount(cost(counts), options_.kind)) <= target_;
  }

  [[nodiscard]] Counts find() const {
    Counts counts = bisect();
    if (options_.strategy == Strategy::Annealing && fits(counts)) counts = anneal(counts);
    return counts;
  }

 private:
  [[nodiscard]] double wanted(std::size_t index, double level) const {
    const Candidate& candidate = candidates_[index];
    const auto channels = static_cast<double>(candidate.channels);
    switch (options_.strategy) {
      case Strategy::Global: {
        const auto rank = static_cast<std::size_t>(
            std::llround(level * static_cast<double>(sorted_scores_.size())));
        if (rank == 0) return 0;
        const double threshold = sorted_scores_[rank - 1];
        return static_cast<double>(std::ranges::upper_bound(candidate.scores, threshold) -
                                   candidate.scores.begin());
      }
      case Strategy::Sensitivity: {
        const auto curve = options_.curves.find(map_.groups()[index].name);
        if (curve == options_.curves.end()) return 0;
        return level <= 0 ? 0 : channels * curve->second.removed_at(level * largest_loss_);
      }
      case Strategy::Uniform:
      case Strategy::Annealing:
        break;
    }
    return level * options_.limits.max_removed * channels;
  }

  [[nodiscard]] Counts counts_at(double level) const {
    Counts counts;
    for (std::size_t index = 0; index < candidates_.size(); ++index) {
      counts.push_back(candidates_[index].nearest(wanted(index, level)));
    }
    return counts;
  }

  /// The least level that fits; then groups step back to the level just below, one by one, as long
  /// as the budget holds: all of them step at once otherwise.
  [[nodiscard]] Counts bisect() const {
    double low = 0;
    double high = 1;
    if (fits(counts_at(low))) return counts_at(low);
    if (!fits(counts_at(high))) return counts_at(high);
    for (int step = 0; step < 60 && counts_at(low) != counts_at(high); ++step) {
      const double middle = (low + high) / 2;
      (fits(counts_at(middle)) ? high : low) = middle;
    }
    const Counts less = counts_at(low);
    Counts counts = counts_at(high);
    for (std::size_t index = 0; index < counts.size(); ++index) {
      const std::int64_t taken = counts[index];
      counts[index] = less[index];
      if (taken != less[index] && !fits(counts)) counts[index] = taken;
    }
    return counts;
  }

  [[nodiscard]] double loss(const Counts& counts) const {
    if (options_.annealing.loss) return options_.annealing.loss(removal(counts));
    double total = 0;
    for (std::size_t index = 0; index < counts.size(); ++index) {
      const Candidate& candidate = candidates_[index];
      const auto curve = options_.curves.find(map_.groups()[index].name);
      if (curve != options_.curves.end()) {
        total += curve->second.loss_at(static_cast<double>(counts[index]) /
                                       static_cast<double>(candidate.channels));
      } else if (options_.curves.empty()) {
        for (std::int64_t place = 0; place < counts[index]; ++place) {
          total += candidate.scores[static_cast<std::size_t>(place)];
        }
      }
    }
    return total;
  }

  /// Two groups exchange: one removes more, another less (Kirkpatrick et al., "Optimization by
  /// simulated annealing", Science 1983). Only states within the budget are visited.
  [[nodiscard]] Counts anneal(const Counts& start) const {
    const AnnealingOptions& annealing = options_.annealing;
    base::Random random(annealing.seed, 0xa11eULL);
    Counts present = start;
    double present_loss = loss(present);
    Counts best = present;
    double best_loss = present_loss;
    double temperature = annealing.temperature;
    for (std::int64_t step = 0; step < annealing.iterations;
         ++step, temperature *= annealing.cooling) {
      Counts next = present;
      for (int change = 0; change < 2; ++change) {
        const auto index = static_cast<std::size_t>(random.below(candidates_.size()));
        const auto& allowed = candidates_[index].counts;
        next[index] = allowed[static_cast<std::size_t>(random.below(allowed.size()))];
      }
      if (!fits(next)) continue;
      const double next_loss = loss(next);
      const bool accepts = next_loss <= present_loss ||
                           random.uniform() < std::exp((present_loss - next_loss) / temperature);
      if (!accepts) continue;
      present = next;
      present_loss = next_loss;
      if (present_loss >= best_loss) continue;
      best = present;
      best_loss = present_loss;
    }
    return best;
  }

  const ChannelMap& map_;
  const BudgetOptions& options_;
  CostModel model_;
  std::vector<Candidate> candidates_;
  NetworkCost before_;
  double target_;
  std::vector<double> sorted_scores_;
  double largest_loss_ = 0;
};

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
  if (count == 0) return "no group could be left out";
  return fmt::format("{} of {} groups lose nothing: {}{}", count, groups.size(), listed,
                     count > kListed ? ", ..." : "");
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

BudgetResult meet_budget(const ir::Graph& graph, const ChannelMap& map,
                         const std::vector<GroupScores>& scores, const BudgetOptions& options) {
  check_options(map, options);
  const Search search(graph, map, scores, options);
  const Counts counts = search.find();
  BudgetResult result{.plan = make_plan(search.removal(counts), graph),
                      .before = search.before(),
                      .after = search.cost(counts)};
  bool any = false;
  for (std::size_t index = 0; index < counts.size(); ++index) {
    const Candidate& candidate = search.candidates()[index];
    any = any || candidate.untouched.empty();
    result.groups.push_back({.group = map.groups()[index].name,
                             .channels = candidate.channels,
                             .removed = counts[index],
                             .untouched = candidate.untouched});
  }
  base::check(any, "nothing of graph '{}' can be cut: {}", graph.name,
              untouched_text(result.groups));
  const auto whole = static_cast<double>(amount(result.before, options.kind));
  base::check(whole > 0, "graph '{}' has no {} to remove", graph.name, to_string(options.kind));
  result.remaining = static_cast<double>(amount(result.after, options.kind)) / whole;
  result.reached = result.remaining <= options.remaining;
  if (!result.reached) {
    result.reason = fmt::format(
        "asked to keep at most {:.1f} % of the {}, reached {:.1f} %: {}; no group may lose more "
        "than {:.0f} % of its channels",
        100 * options.remaining, to_string(options.kind), 100 * result.remaining,
        untouched_text(result.groups), 100 * options.limits.max_removed);
  }
  return result;
}

}  // namespace espalier::prune
