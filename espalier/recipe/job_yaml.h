#pragma once

#include <filesystem>
#include <string>

#include "espalier/recipe/recipe.h"

namespace espalier::recipe {

/// The recipe, as text, that does what a job of the command line does: its seed, model file,
/// calibration, and stages `quantize` (after training), `prune` (its fine-tuning as the command
/// line gives it: epochs and a cosine schedule) and `export`; with `data`, the data file that was
/// given, the job's single split where it was a folder of images, or nothing where it is empty.
[[nodiscard]] std::string print_job(const Recipe& job, const std::filesystem::path& data);

}  // namespace espalier::recipe
