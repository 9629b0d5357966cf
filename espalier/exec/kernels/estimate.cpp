// The estimators. Sums run over the elements that share a scale; g is the gradient of the output.
// "Inside", "above" and "below" are said of x/s + z before it is rounded, as in the papers.
//
// lsq       dL/ds = k (sum_inside g (round(x/s) - x/s) + (qmax - z) sum_above g
//           + (qmin - z) sum_below g), k = 1 / sqrt(N Q), Q = max(qmax - z, z - qmin);
//           above Q = 15 (kPaperLevels) k = 1 / sqrt(15 N) (15 / Q)^2
// lsq_plus  dL/ds = k (sum_inside g (round(x/s) - x/s) + qmax sum_above g + qmin sum_below g)
//           dL/db = (sum_above g + sum_below g) / sqrt(N Q); 0 where z is at an end and would pass
//           it
// pact      dL/da = sum_above g + (qmin - z) / (qmax - z) sum_below g
#include "espalier/exec/kernels/estimate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/ops/facts.h"

namespace espalier::exec {
namespace {

/// Learned scales do not fall below this; a smaller one counts as it.
constexpr double kLeastScale = 1e-12;

double read(const Tensor& tensor, std::int64_t index) {
  return tensor.scalar_type() == at::kDouble ? tensor.const_data_ptr<double>()[index]
                                             : double{tensor.const_data_ptr<float>()[index]};
}

void write(Tensor& tensor, std::int64_t index, double value) {
  if (tensor.scalar_type() == at::kDouble) {
    tensor.mutable_data_ptr<double>()[index] = value;
  } else {
    tensor.mutable_data_ptr<float>()[index] = static_cast<float>(value);
  }
}

float zero_at(const QuantizerTensors& tensors, std::int64_t index) {
  const Tensor& zero = tensors.zero_point;
  if (zero.scalar_type() == at::kInt) {
    return static_cast<float>(zero.const_data_ptr<std::int32_t>()[index]);
  }
  return static_cast<float>(read(zero, index));
}

bool always(const QuantizerTensors&) {
  return true;
}

// --- abs_max

void follow_abs_max(const QuantizerSettings& settings, std::span<const simd::Extremes> extremes,
                    QuantizerTensors& tensors) {
  for (std::size_t index = 0; index < extremes.size(); ++index) {
    const auto place = static_cast<std::int64_t>(index);
    const float zero = zero_at(tensors, place);
    const float magnitude = magnitude_of(settings, extremes[index], zero);
    write(tensors.scale, place, double{scale_of(magnitude, span_of(settings, zero))});
  }
}

// --- moving averages

/// The weight is the last element of the state.
bool is_cold(const QuantizerTensors& tensors) {
  return !(read(tensors.state, tensors.state.numel() - 1) > 0);
}

double fade_in(Tensor& state, std::int64_t index, double rate, double fresh) {
  const double next = rate * read(state, index) + fresh;
  write(state, index, next);
  return next;
}

void average_abs_max(const QuantizerSettings& settings, std::span<const simd::Extremes> extremes,
                     QuantizerTensors& tensors) {
  const float zero = zero_at(tensors, 0);
  const float magnitude = magnitude_of(settings, extremes.front(), zero);
  if (!std::isfinite(magnitude)) return;
  const double rate = settings.rate;
  const double accum = fade_in(tensors.state, 0, rate, double{magnitude});
  const double weight = fade_in(tensors.state, 1, rate, 1.0);
  write(tensors.scale, 0,
        double{scale_of(static_cast<float>(accum / weight), span_of(settings, zero))});
}

void average_min_max(const QuantizerSettings& settings, std::span<const simd::Extremes> extremes,
                     QuantizerTensors& tensors) {
  const simd::Extremes& seen = extremes.front();
  if (!std::isfinite(seen.low) || !std::isfinite(seen.high)) return;
  const double rate = settings.rate;
  double low = fade_in(tensors.state, 0, rate, double{seen.low});
  double high = fade_in(tensors.state, 1, rate, double{seen.high});
  const double weight = fade_in(tensors.state, 2, rate, 1.0);
  low = std::min(low / weight, 0.0);
  high = std::max(high / weight, 0.0);
  if (settings.symmetric) {
    const float zero = zero_at(tensors, 0);
    const auto magnitude = static_cast<float>(std::max(-low, high));
    write(tensors.scale, 0, double{scale_of(magnitude, span_of(settings, zero))});
    return;
  }
  const double levels = double{settings.qmax} - double{settings.qmin};
  const auto scale = static_cast<float>((high - low) / levels);
  if (!(scale >= std::numeric_limits<float>::min()) || !std::isfinite(scale)) return;
  const double zero = std::nearbyint(double{settings.qmin} - low / double{scale});
  write(tensors.scale, 0, double{scale});
  write(tensors.zero_point, 0, std::clamp(zero, double{settings.qmin}, double{settings.qmax}));
}

// --- range_abs_max: state = next place, filled places, maxima

constexpr std::int64_t kWindowHead = 2;

bool is_empty_window(const QuantizerTensors& tensors) {
  return !(read(tensors.state, 1) > 0);
}

void widen_range(const QuantizerSettings& settings, std::span<const simd::Extremes> extremes,
                 QuantizerTensors& tensors) {
  const float zero = zero_at(tensors, 0);
  const float magnitude = magnitude_of(settings, extremes.front(), zero);
  if (!std::isfinite(magnitude)) return;
  Tensor& state = tensors.state;
  const std::int64_t window = state.numel() - kWindowHead;
  const auto place = static_cast<std::int64_t>(read(state, 0)) % window;
  const auto filled = std::min(static_cast<std::int64_t>(read(state, 1)) + 1, window);
  write(state, kWindowHead + place, double{magnitude});
  write(state, 0, static_cast<double>((place + 1) % window));
  write(state, 1, static_cast<double>(filled));
  double largest = 0;
  for (std::int64_t index = 0; index < filled; ++index) {
    largest = std::max(largest, read(state, kWindowHead + index));
  }
  write(tensors.scale, 0, double{scale_of(static_cast<float>(largest), span_of(settings, zero))});
}

// --- learned

/// Codes on the larger side of zero up to which LSQ's own gradient scale is taken: 4 bits.
constexpr double kPaperLevels = 15;

double levels_of(const QuantizerSettings& settings, double zero) {
  return std::max({double{settings.qmax} - zero, zero - double{settings.qmin}, 1.0});
}

/// 1 / sqrt(N Q): what LSQ gives scales, and here the offset of lsq_plus too.
double paper_gradient_scale(double elements, double levels) {
  return 1.0 / std::sqrt(std::max(elements, 1.0) * levels);
}

/// LSQ's gradient scale makes relative steps of a scale as large as those of the weights where it
/// starts at 2 mean|v| / sqrt(Q). Calibration starts at max|v| / Q: about as large at 4 bits, and
/// sqrt(Q) smaller with more, where a clipped value alone, whose gradient grows with Q, would halve
/// the scale in a step. So from there on the end of the range, s Q, is what takes steps, and they
/// are those of 4 bits.
double scale_gradient_scale(double elements, double levels) {
  if (levels <= kPaperLevels) return paper_gradient_scale(elements, levels);
  const double ratio = kPaperLevels / levels;
  return paper_gradient_scale(elements, kPaperLevels) * ratio * ratio;
}

/// True when a step against this gradient widens a range that reaches the bound of what comes
/// before: it would drift without effect, and be far off once it should come back.
bool widens_beyond_bound(const QuantizerSettings& settings, double scale, double zero,
                         double gradient) {
  constexpr double kRoundedFloat = 1 - 0x1p-22;
  const double reach = scale * (double{settings.qmax} - zero);
  return settings.bound > 0 && gradient < 0 && reach >= settings.bound * kRoundedFloat;
}

QuantizerGradients differentiate_lsq(const QuantizerSettings& settings,
                                     const QuantizerTensors& tensors,
                                     std::span<const QuantizerSums> sums, double elements) {
  QuantizerGradients gradients;
  for (std::size_t index = 0; index < sums.size(); ++index) {
    const double zero = double{zero_at(tensors, static_cast<std::int64_t>(index))};
    const double factor = scale_gradient_scale(elements, levels_of(settings, zero));
    const double gradient =
        factor * (sums[index].rounding + (double{settings.qmax} - zero) * sums[index].above +
                  (double{settings.qmin} - zero) * sums[index].below);
    const double scale = read(tensors.scale, static_cast<std::int64_t>(index));
    const bool stays = widens_beyond_bound(settings, scale, zero, gradient);
    gradients.scale.push_back(stays ? 0.0 : gradient);
  }
  return gradients;
}

void derive_zero_point(const QuantizerSettings& settings, QuantizerTensors& tensors) {
  const double scale = std::max(read(tensors.scale, 0), kLeastScale);
  const double zero = std::nearbyint(-read(tensors.state, 0) / scale);
  if (std::isnan(zero)) return;
  write(tensors.zero_point, 0, std::clamp(zero, double{settings.qmin}, double{settings.qmax}));
}

/// True when a step against this gradient moves the zero point, which is at an end of the codes,
/// beyond it: the offset would drift without effect, and be far off once it should come back.
bool leaves_codes(const QuantizerSettings& settings, const QuantizerTensors& tensors,
                  double gradient) {
  const double scale = std::max(read(tensors.scale, 0), kLeastScale);
  const double place = -read(tensors.state, 0) / scale;
  return (gradient > 0 && place >= double{settings.qmax}) ||
         (gradient < 0 && place <= double{settings.qmin});
}

QuantizerGradients differentiate_lsq_plus(const QuantizerSettings& settings,
                                          const QuantizerTensors& tensors,
                                          std::span<const QuantizerSums> sums, double elements) {
  const auto zero = double{zero_at(tensors, 0)};
  const double levels = levels_of(settings, zero);
  const QuantizerSums& sum = sums.front();
  const double offset = paper_gradient_scale(elements, levels) * (sum.above + sum.below);
  const double scale =
      scale_gradient_scale(elements, levels) *
      (sum.rounding + double{settings.qmax} * sum.above + double{settings.qmin} * sum.below);
  const bool stays = widens_beyond_bound(settings, read(tensors.scale, 0), zero, scale);
  return {.scale = {stays ? 0.0 : scale},
          .state = {leaves_codes(settings, tensors, offset) ? 0.0 : offset}};
}

void derive_clip_scale(const QuantizerSettings& settings, QuantizerTensors& tensors) {
  const double clip = std::max(read(tensors.state, 0), kLeastScale);
  write(tensors.scale, 0, clip / double{span_of(settings, zero_at(tensors, 0))});
}

QuantizerGradients differentiate_pact(const QuantizerSettings& settings,
                                      const QuantizerTensors& tensors,
                                      std::span<const QuantizerSums> sums, double) {
  const float zero = zero_at(tensors, 0);
  const double span = double{span_of(settings, zero)};
  const double clip = (double{settings.qmax} - double{zero}) / span * sums.front().above +
                      (double{settings.qmin} - double{zero}) / span * sums.front().below;
  const double scale = read(tensors.state, 0) / span;
  const bool stays = widens_beyond_bound(settings, scale, double{zero}, clip);
  return {.scale = {}, .state = {stays ? 0.0 : clip}};
}

constexpr std::array kRows{
    EstimatorRow{.name = "abs_max",
                 .looks_first = always,
                 .observe = follow_abs_max,
                 .follows_weight = true},
    EstimatorRow{.name = "lsq", .differentiate = differentiate_lsq, .needs_rounding = true},
    EstimatorRow{.name = "lsq_plus",
                 .derive = derive_zero_point,
                 .differentiate = differentiate_lsq_plus,
                 .needs_rounding = true},
    EstimatorRow{
        .name = "moving_average_abs_max", .looks_first = is_cold, .observe = average_abs_max},
    EstimatorRow{
        .name = "moving_average_min_max", .looks_first = is_cold, .observe = average_min_max},
    EstimatorRow{.name = "pact", .derive = derive_clip_scale, .differentiate = differentiate_pact},
    EstimatorRow{.name = "range_abs_max", .looks_first = is_empty_window, .observe = widen_range},
};

[[noreturn]] void refuse(const ir::Node& node, std::string got, std::string expected) {
  throw base::UserError({.what = "bad quantizer",
                         .where = node.label(),
                         .got = std::move(got),
                         .expected = std::move(expected)});
}

bool is_weight(const ir::Node& node) {
  const std::string role = node.get_string("role", "activation");
  if (role != "activation" && role != "weight") {
    refuse(node, "role '" + role + "'", "'activation' or 'weight'");
  }
  return role == "weight";
}

}  // namespace

std::span<const EstimatorRow> estimator_rows() {
  return kRows;
}

QuantizerSettings quantizer_settings(const ir::Node& node) {
  QuantizerSettings settings{.qmin = static_cast<float>(node.get_int("qmin", 0)),
                             .qmax = static_cast<float>(node.get_int("qmax", 255)),
                             .axis = node.get_int("axis", -1),
                             .weight = is_weight(node),
                             .symmetric = node.get_int("symmetric", 0) != 0,
                             .rate = node.get_float("rate", 0.9F)};
  if (!(settings.qmin < settings.qmax)) {
    refuse(node, fmt::format("codes {}..{}", settings.qmin, settings.qmax), "qmin below qmax");
  }
  if (!(settings.rate >= 0 && settings.rate < 1)) {
    refuse(node, fmt::format("rate {}", settings.rate), "a number in [0, 1)");
  }
  const ops::Estimator* facts = ops::estimator_of(node);
  if (facts == nullptr) return settings;
  const auto row = std::ranges::find(kRows, facts->name, &EstimatorRow::name);
  settings.estimator = &*row;
  if (settings.axis >= 0 && !facts->per_channel) {
    refuse(node, fmt::format("an axis with the estimator '{}'", facts->name),
           "one scale for the tensor");
  }
  if (settings.weight ? !facts->for_weights : !facts->for_activations) {
    refuse(node,
           fmt::format("the estimator '{}' for {}", facts->name,
                       settings.weight ? "weights" : "activations"),
           settings.weight ? "one for weights" : "one for activations");
  }
  if (const ir::Node* producer = node.input(ops::kQuantizedValue)->producer();
      producer != nullptr && !settings.weight) {
    const double high = ops::output_range(*producer).high;
    if (std::isfinite(high) && high > 0) settings.bound = high;
  }
  const bool has_state = node.input(ops::kEstimatorState) != nullptr;
  if (has_state == facts->state.empty()) {
    refuse(node, has_state ? "a state" : "no state",
           facts->state.empty() ? "none" : std::string(facts->state));
  }
  return settings;
}

QuantizerTensors quantizer_tensors(const ir::Node& node) {
  const auto vector = [&](std::size_t port) {
    const ir::Value* value = node.input(port);
    if (value == nullptr || !value->is_initializer())
      refuse(node, "a computed parameter", "constants");
    return value->constant().to(at::kFloat).reshape({-1}).clone();
  };
  QuantizerTensors tensors{
      .scale = vector(ops::kScale), .zero_point = vector(ops::kZeroPoint), .state = {}};
  if (node.input(ops::kEstimatorState) != nullptr) tensors.state = vector(ops::kEstimatorState);
  return tensors;
}

float span_of(const QuantizerSettings& settings, float zero_point) {
  return std::max(settings.qmax - zero_point, 1.0F);
}

float magnitude_of(const QuantizerSettings& settings, const simd::Extremes& extremes,
                   float zero_point) {
  if (extremes.low > extremes.high) return 0;
  const float upper = std::max(extremes.high, 0.0F);
  return zero_point == settings.qmin ? upper : std::max(upper, -extremes.low);
}

float scale_of(float magnitude, float span) {
  const auto scale = static_cast<float>(double{magnitude} / double{span});
  const bool usable = scale >= std::numeric_limits<float>::min() && std::isfinite(scale);
  return usable ? scale : 1.0F;
}

}  // namespace espalier::exec
