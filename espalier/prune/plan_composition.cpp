#include "espalier/prune/plan_composition.h"

#include <algorithm>

namespace espalier::prune {
namespace {

/// Positions of an axis before the cut, by their position after it; null where it loses none.
const std::vector<std::int64_t>* kept_of(const CutMap& cuts, const GroupCut& cut) {
  const auto axes = cuts.find(cut.initializer);
  if (axes == cuts.end()) return nullptr;
  const auto axis = std::ranges::find(axes->second, cut.axis, &AxisCut::axis);
  return axis == axes->second.end() ? nullptr : &axis->kept;
}

}  // namespace

PrunePlan compose_plans(const PrunePlan& first, const CutMap& first_cuts, const PrunePlan& second) {
  PrunePlan plan = first;
  plan.criterion = second.criterion;
  for (GroupCut cut : second.cuts) {
    if (const auto* kept = kept_of(first_cuts, cut)) {
      for (std::int64_t& position : cut.removed) {
        position = kept->at(static_cast<std::size_t>(position));
      }
    }
    const auto same = std::ranges::find_if(plan.cuts, [&](const GroupCut& other) {
      return other.initializer == cut.initializer && other.axis == cut.axis;
    });
    if (same == plan.cuts.end()) {
      plan.cuts.push_back(std::move(cut));
      continue;
    }
    same->removed.insert(same->removed.end(), cut.removed.begin(), cut.removed.end());
    std::ranges::sort(same->removed);
  }
  return plan;
}

CutMap compose_cuts(const CutMap& first, const CutMap& second) {
  CutMap both = first;
  for (const auto& [initializer, axes] : second) {
    std::vector<AxisCut>& cuts = both[initializer];
    for (const AxisCut& later : axes) {
      const auto earlier = std::ranges::find(cuts, later.axis, &AxisCut::axis);
      if (earlier == cuts.end()) {
        cuts.push_back(later);
        continue;
      }
      std::vector<std::int64_t> kept;
      for (const std::int64_t position : later.kept) {
        kept.push_back(earlier->kept.at(static_cast<std::size_t>(position)));
      }
      earlier->kept = std::move(kept);
    }
    std::ranges::sort(cuts, {}, &AxisCut::axis);
  }
  return both;
}

}  // namespace espalier::prune
