#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/data/config.h"
#include "espalier/data/dataset.h"
#include "espalier/data/transform_chain.h"

namespace espalier::data {

/// Pixels that follow a formula, so that another program can calculate the same picture:
/// (7 x + 13 y + 29 c + 3 x y) mod 256.
struct Picture {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 3;

  [[nodiscard]] std::vector<std::uint8_t> pixels() const;
  [[nodiscard]] static std::uint8_t at(std::int64_t y, std::int64_t x, std::int64_t channel);
  /// The bytes of a file (".png", ".jpg", ".bmp", ...).
  [[nodiscard]] std::string encode(const std::string& extension) const;
};

/// What a chain makes of one sample.
struct Planes {
  ImageShape shape;
  std::vector<float> values;
  /// One plane.
  [[nodiscard]] std::vector<float> plane(std::int64_t channel) const;
};

/// Runs transforms over decoded pixels; ToCHWImage is added at the end when it is missing.
[[nodiscard]] Planes run_transforms(std::vector<TransformConfig> configs, const Picture& picture,
                                    std::uint64_t seed = 1);
/// The same over the bytes of a file.
[[nodiscard]] Planes run_transforms(std::vector<TransformConfig> configs, std::string encoded,
                                    std::uint64_t seed = 1);

/// A whole number as a parameter.
[[nodiscard]] inline Parameter whole(std::int64_t value) {
  return value;
}

}  // namespace espalier::data
