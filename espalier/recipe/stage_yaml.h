#pragma once

#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/recipe.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// @name One stage of a recipe from its map (stage `train`: train_yaml.h)
/// Throw UserError with file and line, UnsupportedError for what is valid but not there.
/// @{
[[nodiscard]] QuantizeStage parse_quantize_stage(const YamlValue& map, const Recipe& recipe);
[[nodiscard]] ExportStage parse_export_stage(const YamlValue& map);
/// @}

/// The keys of a stage `quantize` that say what is quantized and how; the strategy of that name has
/// them too.
[[nodiscard]] quant::PlanOptions read_plan_options(MapReader& reader);
/// The key `verify`.
[[nodiscard]] VerifyConfig read_verify(MapReader& reader, VerifyConfig standard);

}  // namespace espalier::recipe
