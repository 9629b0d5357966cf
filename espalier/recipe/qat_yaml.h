#pragma once

#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/recipe.h"

namespace espalier::recipe {

/// Reads the keys that a stage `quantize` has in mode `qat`: `train` (as the stage of that name)
/// and `quantizers`. `plan`: what was read of the stage before. Throws UserError with file and
/// line.
[[nodiscard]] QatConfig parse_qat(MapReader& stage, const quant::PlanOptions& plan,
                                  const Recipe& recipe);

/// The key `quantizers`.
struct QuantizerKeys {
  passes::TrainingQuantizers quantizers = {};
  bool frozen_batch_norm = false;      ///< `batch_norm: frozen`
  bool reestimate_batch_norm = false;  ///< `batch_norm: re_estimated`
};
[[nodiscard]] QuantizerKeys read_quantizers(MapReader& reader, const quant::PlanOptions& plan);

}  // namespace espalier::recipe
