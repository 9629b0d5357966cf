#include "espalier/prune/candidates.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/name_match.h"
#include "espalier/ops/weight.h"

namespace espalier::prune {
namespace {

void check_limits(const Limits& limits) {
  base::check(limits.align >= 1, "channel alignment: got {}, expected at least 1", limits.align);
  base::check(limits.min_width >= 1, "minimum width: got {}, expected at least 1",
              limits.min_width);
  base::check(limits.max_removed >= 0 && limits.max_removed < 1,
              "largest share removed of a group: got {}, expected a number in [0, 1)",
              limits.max_removed);
}

/// Names that a skip pattern may match: the layer and its weight.
std::vector<std::string> names_of(const LayerAxes& layer) {
  std::vector<std::string> names{layer.node->name()};
  const ir::Value* weight = ops::initializer_behind(layer.filters.value);
  if (weight != nullptr) names.push_back(weight->name());
  return names;
}

/// For each layer whether a pattern matches it.
std::vector<bool> skipped_layers(const ChannelMap& map, const std::vector<std::string>& patterns) {
  std::vector<bool> skipped(map.layers().size(), false);
  for (const std::string& pattern : patterns) {
    bool any = false;
    std::vector<std::string> known;
    for (std::size_t index = 0; index < skipped.size(); ++index) {
      for (const std::string& name : names_of(map.layers()[index])) {
        known.push_back(name);
        if (!base::matches_glob(pattern, name)) continue;
        skipped[index] = true;
        any = true;
      }
    }
    if (any) continue;
    throw base::UserError({.what = "a pattern of layers not to prune matches nothing",
                           .got = fmt::format("'{}'", pattern),
                           .hint = base::suggest_name(pattern, known)});
  }
  return skipped;
}

/// Channels that hang together go together, and one has to stay.
std::string why_single(const ChannelGroup& group) {
  const std::int64_t filters = group.widths.empty() ? 1 : group.widths.front();
  if (filters <= 1) return "it has a single channel";
  return fmt::format("its {} filters hang together: they would all go", filters);
}

std::string why_untouched(const ChannelMap& map, const ChannelGroup& group,
                          const std::vector<bool>& skipped, const Limits& limits) {
  if (!group.can_be_cut()) {
    if (group.vetoes.empty()) return why_single(group);
    return fmt::format("{}: {}", group.vetoes[0].where, group.vetoes[0].reason);
  }
  for (const std::size_t index : group.layers) {
    const std::string& name = map.layers()[index].node->name();
    if (skipped[index]) return fmt::format("layer '{}' is to be left alone", name);
    if (index == 0 && !limits.cut_first) return "it holds the first layer";
    if (index + 1 == map.layers().size() && !limits.cut_last) return "it holds the last layer";
  }
  return {};
}

/// Numbers of channels that leave a width the limits allow.
std::vector<std::int64_t> allowed_counts(const ChannelGroup& group, std::size_t num_free,
                                         const Limits& limits) {
  const auto channels = static_cast<std::int64_t>(group.channels.size());
  const auto before = limits.gone.find(group.name);
  const std::int64_t gone = before == limits.gone.end() ? 0 : before->second;
  const auto bound =
      static_cast<std::int64_t>(limits.max_removed * static_cast<double>(channels + gone) + 1e-9);
  const auto most =
      std::min<std::int64_t>({static_cast<std::int64_t>(num_free), channels - 1, bound - gone});
  // Channels of different widths cannot be counted in multiples; they are then not aligned.
  const std::int64_t width = group.widths.front();
  const bool even = std::ranges::all_of(group.widths, [&](auto other) { return other == width; });
  std::vector<std::int64_t> counts{0};
  for (std::int64_t count = 1; count <= most; ++count) {
    const std::int64_t kept = (channels - count) * width;
    if (kept < limits.min_width || (even && kept % limits.align != 0)) continue;
    counts.push_back(count);
  }
  return counts;
}

}  // namespace

std::int64_t Candidate::nearest(double wanted) const {
  std::int64_t best = 0;
  for (const std::int64_t count : counts) {
    if (std::abs(static_cast<double>(count) - wanted) <
        std::abs(static_cast<double>(best) - wanted)) {
      best = count;
    }
  }
  return best;
}

std::vector<Candidate> find_candidates(const ChannelMap& map,
                                       const std::vector<GroupScores>& scores,
                                       const Limits& limits) {
  check_limits(limits);
  base::check(scores.size() == map.groups().size(), "pruning scores: got {} groups, expected {}",
              scores.size(), map.groups().size());
  const std::vector<bool> skipped = skipped_layers(map, limits.skip);
  std::vector<Candidate> candidates;
  for (std::size_t index = 0; index < scores.size(); ++index) {
    const ChannelGroup& group = map.groups()[index];
    Candidate candidate{.channels = static_cast<std::int64_t>(group.channels.size()),
                        .untouched = why_untouched(map, group, skipped, limits)};
    if (candidate.untouched.empty()) candidate.untouched = scores[index].missing;
    if (candidate.untouched.empty()) {
      std::vector<std::size_t> order;
      for (std::size_t place = 0; place < group.channels.size(); ++place) {
        if (!map.is_fixed(group.channels[place])) order.push_back(place);
      }
      const std::vector<double>& by_place = scores[index].scores;
      std::ranges::stable_sort(order, {}, [&](std::size_t place) { return by_place.at(place); });
      for (const std::size_t place : order) {
        candidate.order.push_back(group.channels[place]);
        candidate.scores.push_back(by_place[place]);
      }
      candidate.counts = allowed_counts(group, order.size(), limits);
      if (candidate.counts.size() == 1) {
        candidate.untouched =
            fmt::format("no width below {} is a multiple of {}, at least {}, and leaves {:.0f} %",
                        std::accumulate(group.widths.begin(), group.widths.end(), std::int64_t{0}),
                        limits.align, limits.min_width, 100 * (1 - limits.max_removed));
      }
    }
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

Removal remove_counts(const ChannelMap& map, const std::vector<Candidate>& candidates,
                      const std::vector<std::int64_t>& counts) {
  Removal removal(map);
  for (std::size_t index = 0; index < candidates.size(); ++index) {
    for (std::int64_t place = 0; place < counts[index]; ++place) {
      removal.remove(candidates[index].order[static_cast<std::size_t>(place)]);
    }
  }
  return removal;
}

}  // namespace espalier::prune
