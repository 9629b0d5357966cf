#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "espalier/ir/graph.h"
#include "espalier/prune/plan.h"
#include "espalier/recipe/recipe.h"
#include "espalier/report/json.h"

namespace espalier::recipe {

/// Trains a cut graph; `iteration` counts from 1.
using FineTune = std::function<ir::Graph(const ir::Graph& pruned, std::int64_t iteration)>;

struct PruningRequest {
  const ir::Graph& graph;  ///< the model before the cut
  const DataSplits& data;  ///< may hold none
  CalibrationConfig calibration = {};
  const PruneStage& stage;
  int opset = 17;
  int threads = 1;
  FineTune fine_tune = {};  ///< needed where the stage has one
};

struct PruningResult {
  ir::Graph graph;
  prune::PrunePlan plan;  ///< of the model before the cut, whatever the number of iterations
  report::Json facts;     ///< section `pruning` of report.json (docs/formats.md)
};

/// The whole way: choose channels for the budget (or take a stored plan), cut or mask, reconstruct
/// weights, re-estimate normalizations, fine-tune, judge. A budget that is not reached, a failed
/// check and an engine that disagrees are failures among the facts, never exceptions. Throws
/// UserError and UnsupportedError for models, plans and data that do not fit.
[[nodiscard]] PruningResult prune_model(const PruningRequest& request);

/// True when `facts` has no failure.
[[nodiscard]] bool pruning_passed(const report::Json& facts);

/// True when the splits name any images.
[[nodiscard]] bool has_images(const DataSplits& data);

}  // namespace espalier::recipe
