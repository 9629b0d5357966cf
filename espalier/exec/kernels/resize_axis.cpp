#include "espalier/exec/kernels/resize_axis.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

namespace espalier::exec {
namespace {

/// Input coordinate of output position `index`, in single precision as the engines have it:
/// 17 / 1.7 is 10 there, and just below it in double precision.
float source_coordinate(std::int64_t index, const ResizeAxis& axis, Coordinates mode) {
  const auto place = static_cast<float>(index);
  const auto input = static_cast<float>(axis.input);
  const auto output = static_cast<float>(axis.output);
  const auto scale = static_cast<float>(axis.scale);
  const auto begin = static_cast<float>(axis.roi_begin);
  const auto end = static_cast<float>(axis.roi_end);
  switch (mode) {
    case Coordinates::Asymmetric:
      return place / scale;
    case Coordinates::TfHalfPixelForNearest:
      return (place + 0.5F) / scale;
    case Coordinates::AlignCorners:
      return axis.output == 1 ? 0 : place * (input - 1) / (input * scale - 1);
    case Coordinates::TfCropAndResize:
      if (axis.output == 1) return 0.5F * (begin + end) * (input - 1);
      return begin * (input - 1) + place * (end - begin) * (input - 1) / (output - 1);
    case Coordinates::PytorchHalfPixel:
      return axis.output == 1 ? 0 : (place + 0.5F) / scale - 0.5F;
    case Coordinates::HalfPixelSymmetric: {
      // The output may be rounded: what is lost is taken from both ends.
      const float adjustment = output / (scale * input);
      const float offset = input / 2 * (1 - adjustment);
      return offset + (place + 0.5F) / scale - 0.5F;
    }
    case Coordinates::HalfPixel:
      break;
  }
  return (place + 0.5F) / scale - 0.5F;
}

double nearest(double coordinate, Rounding rounding) {
  switch (rounding) {
    case Rounding::Floor:
      return std::floor(coordinate);
    case Rounding::Ceil:
      return std::ceil(coordinate);
    case Rounding::PreferCeil:
      return std::floor(coordinate + 0.5);
    case Rounding::PreferFloor:
      break;
  }
  return std::ceil(coordinate - 0.5);
}

/// Keys' cubic convolution kernel (IEEE Trans. ASSP 29, 1981).
double cubic(double distance, double a) {
  const double x = std::abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

double triangle(double distance) {
  return std::max(0.0, 1 - std::abs(distance));
}

/// The interpolation kernel and how far it reaches; antialiasing widens it when shrinking.
struct Filter {
  double reach;
  double stretch;
};

Filter filter_for(const ResizeAxis& axis, const ResizeSettings& settings) {
  const double radius = settings.interpolation == Interpolation::Cubic ? 2 : 1;
  const double stretch = settings.antialias ? std::min(axis.scale, 1.0) : 1.0;
  return {radius / stretch, stretch};
}

double filter_value(double distance, const Filter& filter, const ResizeSettings& settings) {
  const double x = distance * filter.stretch;
  return settings.interpolation == Interpolation::Cubic ? cubic(x, settings.cubic_coefficient)
                                                        : triangle(x);
}

void weigh(const ResizeAxis& axis, const ResizeSettings& settings, const Filter& filter,
           double coordinate, ResizeTaps& taps) {
  const auto first = static_cast<std::int64_t>(std::floor(coordinate - filter.reach)) + 1;
  std::vector<double> weights(taps.taps, 0.0);
  double sum = 0;
  for (std::size_t tap = 0; tap < taps.taps; ++tap) {
    const std::int64_t index = first + static_cast<std::int64_t>(tap);
    const bool inside = index >= 0 && index < axis.input;
    const bool dropped = !inside && settings.exclude_outside;
    if (!dropped) {
      weights[tap] = filter_value(static_cast<double>(index) - coordinate, filter, settings);
    }
    taps.indices.push_back(std::clamp<std::int64_t>(index, 0, axis.input - 1));
    sum += weights[tap];
  }
  for (const double weight : weights) taps.weights.push_back(sum == 0 ? weight : weight / sum);
}

}  // namespace

ResizeTaps resize_taps(const ResizeAxis& axis, const ResizeSettings& settings) {
  ResizeTaps taps;
  const Filter filter = filter_for(axis, settings);
  const bool single = settings.interpolation == Interpolation::Nearest;
  taps.taps = single ? 1 : static_cast<std::size_t>(std::ceil(2 * filter.reach));
  for (std::int64_t index = 0; index < axis.output; ++index) {
    const double coordinate = source_coordinate(index, axis, settings.coordinates);
    const bool crops = settings.coordinates == Coordinates::TfCropAndResize;
    taps.outside.push_back(crops &&
                           (coordinate < 0 || coordinate > static_cast<double>(axis.input - 1)));
    if (single) {
      const auto source = static_cast<std::int64_t>(nearest(coordinate, settings.rounding));
      taps.indices.push_back(std::clamp<std::int64_t>(source, 0, axis.input - 1));
      taps.weights.push_back(1);
    } else {
      weigh(axis, settings, filter, coordinate, taps);
    }
  }
  return taps;
}

Tensor apply_taps(const Tensor& input, const ResizeAxis& axis, const ResizeTaps& taps,
                  const ResizeSettings& settings) {
  std::vector<std::int64_t> broadcast(static_cast<std::size_t>(input.dim()), 1);
  broadcast[static_cast<std::size_t>(axis.axis)] = axis.output;
  Tensor sum;
  for (std::size_t tap = 0; tap < taps.taps; ++tap) {
    std::vector<std::int64_t> indices;
    std::vector<double> weights;
    for (std::size_t place = tap; place < taps.indices.size(); place += taps.taps) {
      indices.push_back(taps.indices[place]);
      weights.push_back(taps.weights[place]);
    }
    const Tensor picked =
        at::index_select(input, axis.axis, at::tensor(indices, at::kLong).to(input.device()));
    if (taps.taps == 1) {
      sum = picked;
      break;
    }
    const Tensor weight =
        at::tensor(weights, at::kDouble).to(input.device(), input.scalar_type()).view(broadcast);
    sum = sum.defined() ? sum + picked * weight : picked * weight;
  }
  if (std::find(taps.outside.begin(), taps.outside.end(), true) == taps.outside.end()) return sum;
  const std::vector<std::int64_t> flags(taps.outside.begin(), taps.outside.end());
  const Tensor outside = at::tensor(flags, at::kLong).to(input.device(), at::kBool).view(broadcast);
  return at::where(outside, settings.extrapolation_value, sum).to(input.scalar_type());
}

}  // namespace espalier::exec
