#pragma once

#include <memory>

#include "espalier/data/parameter_reader.h"
#include "espalier/data/transform.h"

namespace espalier::data {

/// ResizeImage. Keys: resize_short (the shorter side gets this length, the other one keeps the
/// ratio, rounded to even halves as Python's round does), or size (one number or [width, height]);
/// interpolation, backend.
[[nodiscard]] std::unique_ptr<const Transform> make_resize_image(ParameterReader& parameters);

}  // namespace espalier::data
