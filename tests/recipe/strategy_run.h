#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "espalier/recipe/run.h"

namespace espalier::recipe {

/// One thread, nothing shown.
[[nodiscard]] RunOptions quiet_run(const std::filesystem::path& output, bool resume = false);

/// FashionCNN on drawn images: four epochs of three steps with a checkpoint after each, these keys
/// of the stage `train`, and these strategies.
[[nodiscard]] Recipe strategy_recipe(const std::string& strategies, const std::string& keys = "");

/// Leaves of a finished run what one had that was killed when it had just written the checkpoint of
/// a step.
void kill_after(const std::filesystem::path& run, std::int64_t step);

}  // namespace espalier::recipe
