#pragma once

#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/recipe.h"

namespace espalier::recipe {

/// Reads the keys that a stage `quantize` has in mode `qat`: `train` (as the stage of that name)
/// and `quantizers`. `plan`: as for read_quantizers. Throws UserError with file and
/// line.
[[nodiscard]] QatConfig parse_qat(MapReader& stage, quant::PlanOptions& plan, const Recipe& recipe);

/// The key `quantizers`, as read_quantizers reads it.
struct QuantizerKeys {
  passes::TrainingQuantizers quantizers = {};
  bool frozen_batch_norm = false;      ///< `batch_norm: frozen`
  bool reestimate_batch_norm = false;  ///< `batch_norm: re_estimated`
};
/// `plan`: what was read of the map before. Where activations have the quantizer `abs_max` and the
/// map names no range method, `plan` is given `min_max`: that quantizer exports the calibrated
/// maximum, which it trains with, too.
[[nodiscard]] QuantizerKeys read_quantizers(MapReader& reader, quant::PlanOptions& plan);

}  // namespace espalier::recipe
