#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// How output positions map to input positions (ONNX Resize, coordinate_transformation_mode).
enum class Coordinates {
  HalfPixel,
  HalfPixelSymmetric,
  PytorchHalfPixel,
  AlignCorners,
  Asymmetric,
  TfHalfPixelForNearest,  ///< opsets 11 and 12 only
  TfCropAndResize
};
enum class Interpolation { Nearest, Linear, Cubic };
enum class Rounding { PreferFloor, PreferCeil, Floor, Ceil };

struct ResizeSettings {
  Coordinates coordinates = Coordinates::HalfPixel;
  Interpolation interpolation = Interpolation::Nearest;
  Rounding rounding = Rounding::PreferFloor;
  double cubic_coefficient = -0.75;
  bool exclude_outside = false;
  bool antialias = false;
  double extrapolation_value = 0;
};

/// One axis to resize. `output` is `input * scale` rounded down where scales were given; the
/// coordinates are those of the unrounded length, as in the ONNX reference implementation.
struct ResizeAxis {
  std::int64_t axis = 0;
  std::int64_t input = 0;
  std::int64_t output = 0;
  double scale = 1;
  double roi_begin = 0;
  double roi_end = 1;
};

/// Output positions as weighted sums of input positions.
struct ResizeTaps {
  std::size_t taps = 1;               ///< inputs that make up an output
  std::vector<std::int64_t> indices;  ///< [output, taps], inside of the input
  std::vector<double> weights;        ///< [output, taps]
  std::vector<bool> outside;          ///< [output]: beyond the input (TfCropAndResize)
};

[[nodiscard]] ResizeTaps resize_taps(const ResizeAxis& axis, const ResizeSettings& settings);

/// Applies taps along one axis; differentiable.
[[nodiscard]] Tensor apply_taps(const Tensor& input, const ResizeAxis& axis, const ResizeTaps& taps,
                                const ResizeSettings& settings);

}  // namespace espalier::exec
