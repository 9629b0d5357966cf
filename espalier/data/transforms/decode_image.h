#pragma once

#include <memory>

#include "espalier/data/parameter_reader.h"
#include "espalier/data/transform.h"

namespace espalier::data {

/// DecodeImage: bytes of a file to 8-bit pixels, as cv2.imdecode does (rotated as EXIF says, 16 bit
/// reduced to 8). Keys: to_rgb (true; false keeps OpenCV's BGR), to_gray (false; one channel),
/// channel_first (false), backend ("cv2"), to_np (accepted: pixels are always an array).
[[nodiscard]] std::unique_ptr<const Transform> make_decode_image(ParameterReader& parameters);

}  // namespace espalier::data
