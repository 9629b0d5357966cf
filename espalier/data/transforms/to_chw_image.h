#pragma once

#include <memory>

#include "espalier/data/parameter_reader.h"
#include "espalier/data/transform.h"

namespace espalier::data {

/// ToCHWImage: pixels in channels x height x width order from here on. The reordering itself is
/// done once, when the planes are written. No keys.
[[nodiscard]] std::unique_ptr<const Transform> make_to_chw_image(ParameterReader& parameters);

}  // namespace espalier::data
