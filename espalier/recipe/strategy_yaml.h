#pragma once

#include <vector>

#include "espalier/recipe/recipe.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// `[{freeze: {start_epoch: 3, match: ["*_bn_mean"]}}, {export: {end_epoch: 9}}]` of a training of
/// `epochs` epochs: `start_epoch` counts from 0 (default 0), `end_epoch` is included (default: the
/// last). Throws UserError with line. `quantize` with `batch_norm: frozen` gives a second strategy
/// that freezes it, `prune` one for each of its `iterations`.
[[nodiscard]] std::vector<StrategyConfig> parse_strategies(const YamlValue& list,
                                                           std::int64_t epochs,
                                                           const Recipe& recipe);

}  // namespace espalier::recipe
