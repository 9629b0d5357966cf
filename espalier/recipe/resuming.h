#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "espalier/recipe/recipe.h"

namespace espalier::recipe {

/// What becomes of what an earlier run left of a training stage.
enum class Reuse {
  Finished,  ///< its result stands
  Continue,  ///< it goes on from its newest checkpoint, with the recipe as it is now
  Anew       ///< what it began with has changed: it starts from its first step
};

/// Decides by the resolved recipe that the stage's checkpoints were made with. An edited recipe
/// wins: a stage whose own keys, data, metrics or seed changed goes on with them; one that follows
/// a changed stage, or another model, starts anew. Keys that no training reads do not count.
[[nodiscard]] Reuse reuse_of(const Recipe& recipe, std::size_t stage,
                             const std::string& saved_config);

/// True when a value of `best_metric` means the same in both resolved recipes: the same images, and
/// for a loss the same terms. Nothing saved: it does.
[[nodiscard]] bool judges_alike(const std::string& saved_config, const std::string& config,
                                std::string_view best_metric);

/// Logs what differs between the recipe of a run folder and the present one.
void log_recipe_changes(const std::string& saved_config, const Recipe& recipe);

}  // namespace espalier::recipe
