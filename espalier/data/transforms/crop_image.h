#pragma once

#include <memory>

#include "espalier/data/parameter_reader.h"
#include "espalier/data/transform.h"

namespace espalier::data {

/// CropImage: the centre. Keys: size (224; one number or [width, height]). An image that is smaller
/// is an error.
[[nodiscard]] std::unique_ptr<const Transform> make_crop_image(ParameterReader& parameters);

}  // namespace espalier::data
