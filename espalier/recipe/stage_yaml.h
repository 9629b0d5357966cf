#pragma once

#include "espalier/recipe/recipe.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// @name One stage of a recipe from its map (stage `train`: train_yaml.h)
/// Throw UserError with file and line, UnsupportedError for what is valid but not there.
/// @{
[[nodiscard]] QuantizeStage parse_quantize_stage(const YamlValue& map, const Recipe& recipe);
[[nodiscard]] ExportStage parse_export_stage(const YamlValue& map);
/// @}

}  // namespace espalier::recipe
