#include "espalier/ops/estimator.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"

namespace espalier::ops {
namespace {

constexpr std::array kEstimators{
    Estimator{.name = "abs_max",
              .observed = port(kScale),
              .per_channel = true,
              .for_weights = true,
              .for_activations = true},
    Estimator{.name = "lsq",
              .learned = port(kScale),
              .per_channel = true,
              .for_weights = true,
              .for_activations = true},
    Estimator{.name = "lsq_plus",
              .learned = port(kScale) | port(kEstimatorState),
              .observed = port(kZeroPoint),
              .for_activations = true,
              .state = "[1]: offset, the value of code 0"},
    Estimator{.name = "moving_average_abs_max",
              .observed = port(kScale) | port(kEstimatorState),
              .for_activations = true,
              .state = "[2]: accum, weight"},
    Estimator{.name = "moving_average_min_max",
              .observed = port(kScale) | port(kZeroPoint) | port(kEstimatorState),
              .for_activations = true,
              .state = "[3]: accum of minima, accum of maxima, weight"},
    Estimator{.name = "pact",
              .learned = port(kEstimatorState),
              .observed = port(kScale),
              .for_activations = true,
              .state = "[1]: clip value"},
    Estimator{.name = "range_abs_max",
              .observed = port(kScale) | port(kEstimatorState),
              .for_activations = true,
              .state = "[2 + window]: next place, filled places, maxima"},
};

}  // namespace

std::span<const Estimator> estimators() {
  return kEstimators;
}

const Estimator* find_estimator(std::string_view name) {
  const auto place = std::ranges::find(kEstimators, name, &Estimator::name);
  return place == kEstimators.end() ? nullptr : &*place;
}

const Estimator* estimator_of(const ir::Node& node) {
  if (node.op() != "FakeQuantize" || node.domain() != ir::kEspalierDomain) return nullptr;
  const std::string name = node.get_string("estimator", "");
  if (name.empty()) return nullptr;
  if (const Estimator* row = find_estimator(name)) return row;
  std::vector<std::string> known;
  for (const Estimator& row : kEstimators) known.emplace_back(row.name);
  throw base::UserError({.what = "unknown estimator",
                         .where = node.label(),
                         .got = "'" + name + "'",
                         .hint = base::suggest_name(name, known)});
}

}  // namespace espalier::ops
