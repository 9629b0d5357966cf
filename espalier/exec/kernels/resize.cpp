#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/resize_axis.h"
#include "espalier/exec/kernels/size_limit.h"

namespace espalier::exec {
namespace {

template <typename Choice>
struct Named {
  std::string_view name;
  Choice choice;
};

constexpr std::array kCoordinates{
    Named<Coordinates>{"half_pixel", Coordinates::HalfPixel},
    Named<Coordinates>{"half_pixel_symmetric", Coordinates::HalfPixelSymmetric},
    Named<Coordinates>{"pytorch_half_pixel", Coordinates::PytorchHalfPixel},
    Named<Coordinates>{"align_corners", Coordinates::AlignCorners},
    Named<Coordinates>{"asymmetric", Coordinates::Asymmetric},
    Named<Coordinates>{"tf_half_pixel_for_nn", Coordinates::TfHalfPixelForNearest},
    Named<Coordinates>{"tf_crop_and_resize", Coordinates::TfCropAndResize},
};
constexpr std::array kInterpolations{
    Named<Interpolation>{"nearest", Interpolation::Nearest},
    Named<Interpolation>{"linear", Interpolation::Linear},
    Named<Interpolation>{"cubic", Interpolation::Cubic},
};
constexpr std::array kRoundings{
    Named<Rounding>{"round_prefer_floor", Rounding::PreferFloor},
    Named<Rounding>{"round_prefer_ceil", Rounding::PreferCeil},
    Named<Rounding>{"floor", Rounding::Floor},
    Named<Rounding>{"ceil", Rounding::Ceil},
};

template <typename Table>
auto choose(const Table& table, const std::string& name, std::string_view attribute) {
  for (const auto& row : table) {
    if (row.name == name) return row.choice;
  }
  throw std::invalid_argument(fmt::format("{} is '{}', which does not exist", attribute, name));
}

enum class AspectRatio { Stretch, NotLarger, NotSmaller };

constexpr std::array kAspectRatios{
    Named<AspectRatio>{"stretch", AspectRatio::Stretch},
    Named<AspectRatio>{"not_larger", AspectRatio::NotLarger},
    Named<AspectRatio>{"not_smaller", AspectRatio::NotSmaller},
};

ResizeSettings parse_settings(const ir::Node& node) {
  ResizeSettings settings;
  settings.coordinates =
      choose(kCoordinates, node.get_string("coordinate_transformation_mode", "half_pixel"),
             "coordinate_transformation_mode");
  settings.interpolation = choose(kInterpolations, node.get_string("mode", "nearest"), "mode");
  settings.rounding =
      choose(kRoundings, node.get_string("nearest_mode", "round_prefer_floor"), "nearest_mode");
  settings.cubic_coefficient = node.get_float("cubic_coeff_a", -0.75F);
  settings.exclude_outside = node.get_int("exclude_outside", 0) != 0;
  settings.antialias = node.get_int("antialias", 0) != 0;
  settings.extrapolation_value = node.get_float("extrapolation_value", 0);
  return settings;
}

/// What the node's inputs ask for.
struct Target {
  std::vector<double> scales;
  ir::Ints sizes;
  std::vector<double> roi;
};

Target read_target(const Call& call, const IntsInput& sizes) {
  Target target;
  if (call.has_input(1)) target.roi = read_floats(call.inputs[1]);
  if (call.has_input(2)) target.scales = read_floats(call.inputs[2]);
  target.sizes = sizes.get(call).value_or(ir::Ints{});
  if (target.scales.empty() == target.sizes.empty()) {
    throw std::invalid_argument("exactly one of scales and sizes must be given");
  }
  return target;
}

void keep_aspect_ratio(std::vector<ResizeAxis>& axes, AspectRatio policy) {
  if (policy == AspectRatio::Stretch || axes.empty()) return;
  double scale = static_cast<double>(axes[0].output) / static_cast<double>(axes[0].input);
  for (const ResizeAxis& axis : axes) {
    const double own = static_cast<double>(axis.output) / static_cast<double>(axis.input);
    scale = policy == AspectRatio::NotLarger ? std::min(scale, own) : std::max(scale, own);
  }
  for (ResizeAxis& axis : axes) {
    axis.scale = scale;
    axis.output =
        static_cast<std::int64_t>(std::floor(scale * static_cast<double>(axis.input) + 0.5));
  }
}

std::vector<ResizeAxis> plan_axes(const Tensor& input, const Target& target, const ir::Ints& along,
                                  AspectRatio policy) {
  const std::size_t count = along.size();
  const std::size_t given = target.sizes.empty() ? target.scales.size() : target.sizes.size();
  if (given != count || (!target.roi.empty() && target.roi.size() != 2 * count)) {
    throw std::invalid_argument(fmt::format("scales, sizes or roi do not fit {} axes", count));
  }
  std::vector<ResizeAxis> axes;
  for (std::size_t index = 0; index < count; ++index) {
    ResizeAxis axis{.axis = along[index], .input = input.size(along[index])};
    if (axis.input == 0) throw std::invalid_argument("cannot resize an empty axis");
    if (target.sizes.empty()) {
      axis.scale = target.scales[index];
      if (!(axis.scale > 0 && axis.scale < 1e6))
        throw std::invalid_argument("a scale must be positive");
      axis.output =
          static_cast<std::int64_t>(std::floor(static_cast<double>(axis.input) * axis.scale));
    } else {
      axis.output = target.sizes[index];
      axis.scale = static_cast<double>(axis.output) / static_cast<double>(axis.input);
    }
    if (axis.output < 1) throw std::invalid_argument("a size must be at least 1");
    if (!target.roi.empty()) {
      axis.roi_begin = target.roi[index];
      axis.roi_end = target.roi[index + count];
    }
    axes.push_back(axis);
  }
  if (!target.sizes.empty()) keep_aspect_ratio(axes, policy);
  ir::Ints sizes = input.sizes().vec();
  for (const ResizeAxis& axis : axes) sizes[static_cast<std::size_t>(axis.axis)] = axis.output;
  check_elements(sizes);
  return axes;
}

bool changes(const ResizeAxis& axis, const ResizeSettings& settings) {
  return axis.input != axis.output || axis.scale != 1 ||
         settings.coordinates == Coordinates::TfCropAndResize;
}

/// The two axes of an image when they are all that changes.
const ResizeAxis* image_axes(const std::vector<ResizeAxis>& changed, const Tensor& input) {
  const bool image = input.dim() == 4 && input.is_floating_point() && changed.size() == 2 &&
                     changed[0].axis == 2 && changed[1].axis == 3;
  return image ? changed.data() : nullptr;
}

/// libtorch's own loops, where they compute the same; undefined otherwise.
Tensor resize_image(const Tensor& input, const std::vector<ResizeAxis>& changed,
                    const ResizeSettings& settings) {
  const ResizeAxis* axes = image_axes(changed, input);
  if (axes == nullptr || settings.antialias || settings.exclude_outside) return {};
  const ir::Ints sizes{axes[0].output, axes[1].output};
  const bool half_pixel = settings.coordinates == Coordinates::HalfPixel ||
                          (settings.coordinates == Coordinates::PytorchHalfPixel &&
                           axes[0].output > 1 && axes[1].output > 1);
  const bool exact =
      axes[0].scale * static_cast<double>(axes[0].input) == static_cast<double>(axes[0].output) &&
      axes[1].scale * static_cast<double>(axes[1].input) == static_cast<double>(axes[1].output);
  const bool align = settings.coordinates == Coordinates::AlignCorners && exact;
  if (settings.interpolation == Interpolation::Linear && (half_pixel || align)) {
    return at::upsample_bilinear2d(input, sizes, align, axes[0].scale, axes[1].scale);
  }
  const bool whole = axes[0].output % axes[0].input == 0 && axes[1].output % axes[1].input == 0;
  const bool floors =
      settings.coordinates == Coordinates::Asymmetric && settings.rounding == Rounding::Floor;
  const bool rounds = half_pixel && (settings.rounding == Rounding::PreferFloor ||
                                     settings.rounding == Rounding::PreferCeil);
  // Enlarging by whole factors repeats each element, whichever way the middle is rounded.
  if (settings.interpolation == Interpolation::Nearest && whole && exact && (floors || rounds)) {
    return at::upsample_nearest2d(input, sizes);
  }
  return {};
}

Tensor resize(const Tensor& input, const std::vector<ResizeAxis>& axes,
              const ResizeSettings& settings) {
  std::vector<ResizeAxis> changed;
  std::copy_if(axes.begin(), axes.end(), std::back_inserter(changed),
               [&](const ResizeAxis& axis) { return changes(axis, settings); });
  const Tensor fast = resize_image(input, changed, settings);
  if (fast.defined()) return fast;
  const bool blends = settings.interpolation != Interpolation::Nearest;
  const bool narrow = blends && !input.is_floating_point();
  Tensor result = narrow ? input.to(at::kFloat) : input;
  for (const ResizeAxis& axis : changed) {
    result = apply_taps(result, axis, resize_taps(axis, settings), settings);
  }
  return narrow ? result.round().to(input.scalar_type()) : result;
}

}  // namespace

Kernel make_resize(const KernelRequest& request) {
  const ir::Node& node = request.node;
  const ResizeSettings settings = parse_settings(node);
  const AspectRatio policy =
      choose(kAspectRatios, node.get_string("keep_aspect_ratio_policy", "stretch"),
             "keep_aspect_ratio_policy");
  return [settings, policy, axes = node.get_ints("axes", {}),
          sizes = IntsInput(request, 3)](Call& call) {
    const Tensor& input = call.inputs[0];
    ir::Ints along = wrap_axes(axes, input.dim());
    if (along.empty()) {
      along.resize(static_cast<std::size_t>(input.dim()));
      std::iota(along.begin(), along.end(), 0);
    }
    const Target target = read_target(call, sizes);
    call.outputs[0] = resize(input, plan_axes(input, target, along, policy), settings);
  };
}

}  // namespace espalier::exec
