#pragma once

#include <string_view>

#include <opencv2/core/mat.hpp>

namespace espalier::data {

/// The picture on its way through the transforms: bytes of a file until DecodeImage, then a matrix
/// of height x width x channels in uint8 or float32. The matrix may show pixels that belong to the
/// data set: transforms make new matrices and never write into it.
struct Image {
  std::string_view encoded = {};
  cv::Mat pixels = {};
};

}  // namespace espalier::data
