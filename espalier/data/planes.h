#pragma once

#include <cstddef>
#include <span>

#include <opencv2/core/mat.hpp>

namespace espalier::data {

/// Writes channel `index` of a matrix (height x width x channels of T) as one plane of floats.
template <typename T, typename Function>
void write_plane(const cv::Mat& pixels, int index, std::span<float> plane,
                 const Function& function) {
  const std::ptrdiff_t channels = pixels.channels();
  float* to = plane.data();
  for (int y = 0; y < pixels.rows; ++y, to += pixels.cols) {
    const T* from = pixels.ptr<T>(y) + index;
    for (std::ptrdiff_t x = 0; x < pixels.cols; ++x) to[x] = function(from[x * channels]);
  }
}

}  // namespace espalier::data
