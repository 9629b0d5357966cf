#include "espalier/recipe/plan_composition.h"

#include <algorithm>

namespace espalier::recipe {
namespace {

/// Positions of an axis before the cut, by their position after it; null where it loses none.
const std::vector<std::int64_t>* kept_of(const prune::CutMap& cuts, const prune::GroupCut& cut) {
  const auto axes = cuts.find(cut.initializer);
  if (axes == cuts.end()) return nullptr;
  const auto axis = std::ranges::find(axes->second, cut.axis, &prune::AxisCut::axis);
  return axis == axes->second.end() ? nullptr : &axis->kept;
}

}  // namespace

prune::PrunePlan compose_plans(const prune::PrunePlan& first, const prune::CutMap& first_cuts,
                               const prune::PrunePlan& second) {
  prune::PrunePlan plan = first;
  plan.criterion = second.criterion;
  for (prune::GroupCut cut : second.cuts) {
    if (const auto* kept = kept_of(first_cuts, cut)) {
      for (std::int64_t& position : cut.removed) {
        position = kept->at(static_cast<std::size_t>(position));
      }
    }
    const auto same = std::ranges::find_if(plan.cuts, [&](const prune::GroupCut& other) {
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

}  // namespace espalier::recipe
