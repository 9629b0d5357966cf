#pragma once

#include <filesystem>
#include <memory>

#include "espalier/quant/plan.h"
#include "espalier/recipe/recipe.h"
#include "espalier/recipe/strategies.h"
#include "espalier/train/strategy.h"

namespace espalier::recipe {

/// What a training had when its quantizers were put in. It lies in a file beside the
/// checkpoints, written before the first step with quantizers.
struct QuantizationStart {
  ir::Graph float_model;  ///< with the weights of that moment
  quant::QuantPlan plan;  ///< calibrated on it
};

/// Reads it. Throws UserError where the file is missing or damaged.
[[nodiscard]] QuantizationStart load_quantization_start(const std::filesystem::path& checkpoints);

/// PaddleSlim's QuantizationStrategy: at the start of its span the float graph is calibrated and
/// gets quantizers, at the end the quantized model is written to config.file in the run folder.
/// Training goes on with quantizers behind the end. `config` and `context` are borrowed.
[[nodiscard]] std::unique_ptr<train::Strategy> make_quantize_strategy(
    const train::EpochSpan& span, const TrainQuantizeConfig& config,
    const StrategyContext& context);

}  // namespace espalier::recipe
