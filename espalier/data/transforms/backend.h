#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "espalier/base/random.h"
#include "espalier/data/parameter_reader.h"
#include "espalier/data/transform.h"

namespace espalier::data {

/// Reads the key `backend`. Throws UnsupportedError for "pil": its filters give other pixels.
void require_opencv_backend(ParameterReader& parameters);

/// How pixels between pixels are found: one of OpenCV's filters, or one drawn for each image.
class Interpolation {
 public:
  /// Reads the key `interpolation`: nearest, bilinear (default), area, bicubic, lanczos, random.
  [[nodiscard]] static Interpolation read(ParameterReader& parameters);
  /// OpenCV's flag; draws when it is random (of nearest, bilinear, bicubic, area).
  [[nodiscard]] int flag(base::Random& random) const;

 private:
  std::optional<int> flag_;  ///< nothing: random
};

/// Throws UserError unless the layout is HWC; returns it.
Layout require_hwc(Layout layout, std::string_view transform);

}  // namespace espalier::data
