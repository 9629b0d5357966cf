#pragma once

#include <memory>

#include "espalier/data/parameter_reader.h"
#include "espalier/data/transform.h"

namespace espalier::data {

/// RandFlipImage: mirrored with probability 0.5. Keys: flip_code (1: left and right, 0: top and
/// bottom, -1: both).
[[nodiscard]] std::unique_ptr<const Transform> make_rand_flip_image(ParameterReader& parameters);

}  // namespace espalier::data
