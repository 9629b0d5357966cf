#pragma once

#include "espalier/recipe/recipe.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// Stage `train` from its map (docs/recipes.md). Throws UserError with file and line,
/// UnsupportedError for what is valid but not there.
[[nodiscard]] TrainStage parse_train_stage(const YamlValue& map, const Recipe& recipe);

}  // namespace espalier::recipe
