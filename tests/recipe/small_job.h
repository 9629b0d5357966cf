#pragma once

#include <filesystem>
#include <string>

#include "espalier/recipe/data_yaml.h"
#include "espalier/recipe/recipe.h"

namespace espalier::recipe {

/// `count` seeded 28 x 28 images of 4 classes, normalized, as one split.
[[nodiscard]] DataSplits synthetic_splits(int count);

/// Trains FashionCNN on such images for one epoch, then quantizes; seconds of work.
[[nodiscard]] std::string small_recipe();
/// The same with quantization-aware training; `quantizers` is the map of that name.
[[nodiscard]] std::string small_qat_recipe(const std::string& quantizers);

/// A freshly made FashionCNN with 4 classes as an ONNX file in the folder; its path.
[[nodiscard]] std::filesystem::path write_small_model(const std::filesystem::path& folder);

}  // namespace espalier::recipe
