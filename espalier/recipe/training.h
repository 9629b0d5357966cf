#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "espalier/ir/graph.h"
#include "espalier/recipe/recipe.h"
#include "espalier/report/progress.h"
#include "espalier/train/loop.h"

namespace espalier::recipe {

struct TrainingRequest {
  const ir::Graph& graph;
  const DataSplits& data;
  TrainStage stage;
  const ir::Graph* self = nullptr;  ///< the teacher `self`; null: `graph`
  std::uint64_t seed = 0;
  std::filesystem::path folder;  ///< run folder: events and checkpoints go there
  std::string checkpoint_folder = "checkpoints";
  bool resume = false;
  std::string config;                  ///< resolved recipe
  CalibrationConfig calibration = {};  ///< of a strategy that quantizes
  int threads = 1;                     ///< the same
  report::ProgressStyle progress = report::ProgressStyle::Auto;
  /// Called once everything fits, before the first file is written or replaced.
  std::function<void()> on_start = {};
};

struct TrainingOutcome {
  ir::Graph best;  ///< weights of the best evaluation, or of the end without one; its batch is
                   ///< fixed where the given graph's is
  train::TrainState state;
  double seconds = 0;
};

/// Trains with progress, log lines, TensorBoard scalars and checkpoints. Throws what train::train
/// throws; UserError when the recipe has no training data.
[[nodiscard]] TrainingOutcome run_training(const TrainingRequest& request);

}  // namespace espalier::recipe
