#pragma once

#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/recipe.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// Stage `prune` from its map (docs/recipes.md). Throws UserError with file and line: for unknown
/// keys and names, numbers out of range, no budget or several, and options that exclude each other.
[[nodiscard]] PruneStage parse_prune_stage(const YamlValue& map, const Recipe& recipe);

/// Strategy `prune` of a training from its map, without its epochs and `iterations`. Throws as
/// parse_prune_stage does; UnsupportedError for keys that only a stage takes.
[[nodiscard]] TrainPruneConfig parse_train_prune(MapReader& reader, const Recipe& recipe);

/// Throws UserError for options that exclude each other, wherever they came from.
void check_prune_stage(const PruneStage& stage);

}  // namespace espalier::recipe
