#pragma once

#include <filesystem>
#include <string>

#include "espalier/recipe/recipe.h"

namespace espalier::recipe {

/// The recipe, as text, that does what a quantization from the command line does: of the job's
/// seed, model file, calibration, and stages `quantize` (after training) and `export`; with `data`,
/// the data file that was given, or the job's single split where it was a folder of images.
[[nodiscard]] std::string print_quantization(const Recipe& job, const std::filesystem::path& data);

}  // namespace espalier::recipe
