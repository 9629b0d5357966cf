#pragma once

#include <memory>
#include <string>

#include "espalier/recipe/recipe.h"
#include "espalier/recipe/strategies.h"
#include "espalier/train/strategy.h"

namespace espalier::recipe {

/// "prune_plan-epoch-<start>.yaml".
[[nodiscard]] std::string epoch_plan_name(const train::EpochSpan& span);

/// PaddleSlim's PruneStrategy: before the first step of its span channels are chosen by the weights
/// of that moment and cut; momentum, averages and whatever else is shaped like a parameter lose the
/// same positions. The plan, of the graph of that moment, is written to
/// prune_plan-epoch-<start>.yaml in the run folder. Shares are those of the model as it enters the
/// stage. `config` and `context` are borrowed. Throws UserError for a budget that cannot be met and
/// for patterns that match nothing.
[[nodiscard]] std::unique_ptr<train::Strategy> make_prune_strategy(const train::EpochSpan& span,
                                                                   const TrainPruneConfig& config,
                                                                   const StrategyContext& context);

}  // namespace espalier::recipe
