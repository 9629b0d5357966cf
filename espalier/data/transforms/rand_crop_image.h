#pragma once

#include <memory>

#include "espalier/data/parameter_reader.h"
#include "espalier/data/transform.h"

namespace espalier::data {

/// RandCropImage: a random part of random area and shape, resized. Keys: size (224; one number or
/// [width, height]), scale ([0.08, 1.0], share of the area), ratio ([3/4, 4/3], width / height),
/// use_log_aspect (false), interpolation, backend. One draw always fits: the range of the area is
/// bounded by the image, as in PaddleClas.
[[nodiscard]] std::unique_ptr<const Transform> make_rand_crop_image(ParameterReader& parameters);

}  // namespace espalier::data
