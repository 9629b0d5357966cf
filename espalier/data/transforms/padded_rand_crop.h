#pragma once

#include <memory>

#include "espalier/data/parameter_reader.h"
#include "espalier/data/transform.h"

namespace espalier::data {

/// PaddedRandCrop: the picture with a border on all sides, then a part of fixed size at a random
/// place. Keys: size (one number or [width, height]; default: the size of the image), padding (4,
/// pixels), fill (0, value of the border in 0..255).
[[nodiscard]] std::unique_ptr<const Transform> make_padded_rand_crop(ParameterReader& parameters);

}  // namespace espalier::data
