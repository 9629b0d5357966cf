#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "espalier/recipe/losses.h"
#include "espalier/recipe/recipe.h"
#include "espalier/report/progress.h"
#include "espalier/train/strategy.h"

namespace espalier::recipe {

/// What strategies of a stage may use; borrowed for as long as they live.
struct StrategyContext {
  const ir::Graph& self;  ///< the model as it enters the stage
  const StudentFeatures& features;
  std::filesystem::path folder;  ///< of the run
  /// @name For `quantize` and `prune` alone
  /// @{
  const DataSplits* data = nullptr;
  CalibrationConfig calibration = {};
  int threads = 1;
  report::ProgressStyle progress = report::ProgressStyle::Auto;
  std::filesystem::path checkpoints = {};  ///< folder of the stage
  /// @}
};

/// The strategies of a stage, in its order: one row of a table for each kind of StrategyConfig.
/// A new kind is an alternative of StrategyConfig::what, a row that parses it (strategy_yaml.cpp),
/// and a row here that makes a train::Strategy.
[[nodiscard]] std::vector<std::unique_ptr<train::Strategy>> make_strategies(
    const TrainStage& stage, const StrategyContext& context);

/// Files that the strategies of a recipe write into the run folder after epochs.
[[nodiscard]] std::set<std::string> epoch_files(const Recipe& recipe);

}  // namespace espalier::recipe
