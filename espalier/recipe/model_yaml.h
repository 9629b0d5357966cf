#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "espalier/recipe/recipe.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// A path as written, tried against the working directory, then against `folder`.
[[nodiscard]] std::filesystem::path resolve_path(const std::string& written,
                                                 const std::filesystem::path& folder);

/// `{zoo: MobileNetV1, scale: 0.5, classes: 10, image_size: 32, stem: cifar}` or `{onnx: file}`,
/// with `weights: file`. A zoo model is drawn with `seed`. Throws UserError with line.
[[nodiscard]] ModelConfig parse_model(const YamlValue& map, std::uint64_t seed,
                                      const std::filesystem::path& folder);

}  // namespace espalier::recipe
