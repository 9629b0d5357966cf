#pragma once

#include "espalier/recipe/recipe.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// @name One stage of a recipe from its map
/// Throw UserError with file and line, UnsupportedError for what is valid but not there.
/// @{
[[nodiscard]] TrainStage parse_train_stage(const YamlValue& map, const Recipe& recipe);
[[nodiscard]] QuantizeStage parse_quantize_stage(const YamlValue& map);
[[nodiscard]] ExportStage parse_export_stage(const YamlValue& map);
/// @}

}  // namespace espalier::recipe
