#pragma once

#include <vector>

#include "espalier/recipe/recipe.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// `[{cross_entropy: {smoothing: 0.1}}, {distil_kl: {temperature: 4, weight: 2}}]`: the terms of a
/// loss, which add up (docs/recipes.md). Throws UserError with line.
[[nodiscard]] std::vector<LossConfig> parse_losses(const YamlValue& list);

/// True when a term needs a teacher.
[[nodiscard]] bool needs_teacher(const std::vector<LossConfig>& losses);

/// `self`, the model as it enters the stage, or a model as in 'model'. Throws UserError with line.
[[nodiscard]] TeacherConfig parse_teacher(const YamlValue& value, const Recipe& recipe);

}  // namespace espalier::recipe
