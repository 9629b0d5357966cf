#include "espalier/prune/count_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace espalier::prune {
namespace {

constexpr int kMostSteps = 60;

/// Place of a count among those that are allowed.
std::size_t place_of(const Candidate& candidate, std::int64_t count) {
  return static_cast<std::size_t>(std::ranges::lower_bound(candidate.counts, count) -
                                  candidate.counts.begin());
}

/// The largest allowed count that is at most `wanted`.
std::int64_t at_most(const Candidate& candidate, double wanted) {
  const auto above = std::ranges::upper_bound(
      candidate.counts, wanted + 1e-9, {}, [](auto count) { return static_cast<double>(count); });
  return above == candidate.counts.begin() ? 0 : *std::prev(above);
}

}  // namespace

CountSearch::CountSearch(const ir::Graph& graph, const ChannelMap& map,
                         const std::vector<GroupScores>& scores, const BudgetOptions& options)
    : map_(map),
      options_(options),
      model_(graph, map, options.macs),
      candidates_(find_candidates(map, scores, options.limits)),
      before_(model_.cost(Removal(map))) {
  // What was not measured is not known to be free.
  const bool by_curves =
      options.strategy == Strategy::Sensitivity || options.strategy == Strategy::Annealing;
  if (by_curves && !options.curves.empty()) {
    for (std::size_t index = 0; index < candidates_.size(); ++index) {
      if (options.curves.contains(map.groups()[index].name)) continue;
      if (!candidates_[index].untouched.empty()) continue;
      candidates_[index].counts = {0};
      candidates_[index].untouched = kNoCurve;
    }
  }
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

bool CountSearch::fits(const Counts& counts) const {
  const auto whole = static_cast<double>(amount(before_, options_.kind));
  return static_cast<double>(amount(cost(counts), options_.kind)) <= options_.remaining * whole;
}

CountSearch::Counts CountSearch::find() const {
  const Counts counts = bisect();
  if (options_.strategy != Strategy::Annealing || !fits(counts)) return counts;
  return anneal(counts);
}

CountSearch::Counts CountSearch::counts_for_loss(double loss) const {
  Counts counts;
  for (std::size_t index = 0; index < candidates_.size(); ++index) {
    const Candidate& candidate = candidates_[index];
    const auto curve = options_.curves.find(map_.groups()[index].name);
    const double share = curve == options_.curves.end() ? 0 : curve->second.removed_at(loss);
    counts.push_back(at_most(candidate, share * static_cast<double>(candidate.channels)));
  }
  return counts;
}

/// Channels that a group loses at a level, before rounding to what is allowed.
double CountSearch::wanted(std::size_t index, double level) const {
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
      if (curve == options_.curves.end() || level <= 0) return 0;
      return channels * curve->second.removed_at(level * largest_loss_);
    }
    case Strategy::Uniform:
    case Strategy::Annealing:
      break;
  }
  return level * options_.limits.max_removed * channels;
}

CountSearch::Counts CountSearch::counts_at(double level) const {
  Counts counts;
  for (std::size_t index = 0; index < candidates_.size(); ++index) {
    counts.push_back(candidates_[index].nearest(wanted(index, level)));
  }
  return counts;
}

CountSearch::Counts CountSearch::between(const Counts& less, const Counts& more,
                                         double share) const {
  Counts counts;
  for (std::size_t index = 0; index < less.size(); ++index) {
    counts.push_back(candidates_[index].nearest(
        std::lerp(static_cast<double>(less[index]), static_cast<double>(more[index]), share)));
  }
  return counts;
}

/// The least level that fits. Many channels may go at one level (equal scores, a flat curve): then
/// the way between the levels is bisected too.
CountSearch::Counts CountSearch::bisect() const {
  const auto narrow = [&](const auto& counts_of) {
    double low = 0;
    double high = 1;
    for (int step = 0; step < kMostSteps && counts_of(low) != counts_of(high); ++step) {
      const double middle = std::midpoint(low, high);
      (fits(counts_of(middle)) ? high : low) = middle;
    }
    return std::pair{counts_of(low), counts_of(high)};
  };
  const auto at_level = [&](double level) { return counts_at(level); };
  if (fits(at_level(0))) return at_level(0);
  if (!fits(at_level(1))) return at_level(1);
  const auto [below, above] = narrow(at_level);
  const auto [less, more] =
      narrow([&, low = below, high = above](double share) { return between(low, high, share); });
  return give_back(step_back(less, more));
}

/// Groups step back to `less` one by one as long as the budget holds: at a level all of them step
/// at once.
CountSearch::Counts CountSearch::step_back(const Counts& less, Counts counts) const {
  for (std::size_t index = 0; index < counts.size(); ++index) {
    const std::int64_t taken = counts[index];
    counts[index] = less[index];
    if (taken != less[index] && !fits(counts)) counts[index] = taken;
  }
  return counts;
}

/// What a group's next step back keeps, in the strategy's own measure.
double CountSearch::worth(std::size_t index, std::int64_t count) const {
  const Candidate& candidate = candidates_[index];
  const auto channels = static_cast<double>(candidate.channels);
  const auto curve = options_.curves.find(map_.groups()[index].name);
  if (options_.strategy == Strategy::Global) {
    return candidate.scores.at(static_cast<std::size_t>(count - 1));
  }
  if (options_.strategy == Strategy::Sensitivity && curve != options_.curves.end()) {
    return curve->second.loss_at(static_cast<double>(count) / channels);
  }
  return static_cast<double>(count) / channels;
}

/// True when equal shares would come further apart than the widths that are allowed make them.
bool CountSearch::leaves_the_others(const Counts& counts, std::size_t index) const {
  if (options_.strategy == Strategy::Global || options_.strategy == Strategy::Sensitivity) {
    return false;
  }
  double largest = 0;
  double step = 0;
  for (std::size_t group = 0; group < counts.size(); ++group) {
    const Candidate& candidate = candidates_[group];
    const auto channels = static_cast<double>(candidate.channels);
    const std::size_t place = place_of(candidate, counts[group]);
    if (place == 0) continue;
    const auto width = static_cast<double>(candidate.counts[place] - candidate.counts[place - 1]);
    step = std::max(step, width / channels);
    largest = std::max(largest, static_cast<double>(counts[group]) / channels);
  }
  const auto channels = static_cast<double>(candidates_[index].channels);
  return largest - static_cast<double>(counts[index]) / channels > step + 1e-9;
}

/// Single groups step back by further widths, those first that gain most by it, as long as the
/// budget allows it: widths come in steps, and together they take more than was asked for.
CountSearch::Counts CountSearch::give_back(Counts counts) const {
  std::vector<bool> done(counts.size(), false);
  while (true) {
    std::optional<std::size_t> next;
    for (std::size_t index = 0; index < counts.size(); ++index) {
      if (done[index] || counts[index] == 0) continue;
      if (!next || worth(index, counts[index]) > worth(*next, counts[*next])) next = index;
    }
    if (!next) return counts;
    const Candidate& candidate = candidates_[*next];
    const std::int64_t taken = counts[*next];
    const std::size_t place = place_of(candidate, taken);
    if (place > 0) {
      counts[*next] = candidate.counts[place - 1];
      if (fits(counts) && !leaves_the_others(counts, *next)) continue;
      counts[*next] = taken;
    }
    done[*next] = true;
  }
}

double CountSearch::loss(const Counts& counts) const {
  if (options_.annealing.loss) return options_.annealing.loss(removal(counts));
  double total = 0;
  for (std::size_t index = 0; index < counts.size(); ++index) {
    const Candidate& candidate = candidates_[index];
    const auto curve = options_.curves.find(map_.groups()[index].name);
    if (curve != options_.curves.end()) {
      total += curve->second.loss_at(static_cast<double>(counts[index]) /
                                     static_cast<double>(candidate.channels));
    } else if (options_.curves.empty()) {
      const auto removed = candidate.scores.begin() + static_cast<std::ptrdiff_t>(counts[index]);
      total += std::accumulate(candidate.scores.begin(), removed, 0.0);
    }
  }
  return total;
}

/// Brings counts to the edge of the budget: groups in random order remove more until it holds, then
/// give back what it does not need.
void CountSearch::tighten(Counts& counts, base::Random& random) const {
  std::vector<std::size_t> order(counts.size());
  std::iota(order.begin(), order.end(), 0U);
  random.shuffle(std::span(order));
  for (const std::size_t index : order) {
    const std::vector<std::int64_t>& allowed = candidates_[index].counts;
    std::size_t place = place_of(candidates_[index], counts[index]);
    while (place + 1 < allowed.size() && !fits(counts)) counts[index] = allowed[++place];
  }
  for (const std::size_t index : order) {
    const std::vector<std::int64_t>& allowed = candidates_[index].counts;
    for (std::size_t place = place_of(candidates_[index], counts[index]); place > 0; --place) {
      counts[index] = allowed[place - 1];
      if (fits(counts)) continue;
      counts[index] = allowed[place];
      break;
    }
  }
}

/// One group takes another width, others make up for it (Kirkpatrick et al., "Optimization by
/// simulated annealing", Science 1983). Only states at the edge of the budget are visited.
CountSearch::Counts CountSearch::anneal(const Counts& start) const {
  const AnnealingOptions& annealing = options_.annealing;
  base::Random random(annealing.seed, 0xa11eULL);
  std::vector<std::size_t> movable;
  for (std::size_t index = 0; index < candidates_.size(); ++index) {
    if (candidates_[index].counts.size() > 1) movable.push_back(index);
  }
  Counts present = start;
  double present_loss = loss(present);
  Counts best = present;
  double best_loss = present_loss;
  double temperature = annealing.temperature;
  for (std::int64_t step = 0; step < annealing.iterations && !movable.empty();
       ++step, temperature *= annealing.cooling) {
    Counts next = present;
    const std::size_t index = movable[random.below(movable.size())];
    const auto& allowed = candidates_[index].counts;
    next[index] = allowed[random.below(allowed.size())];
    tighten(next, random);
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

}  // namespace espalier::prune
