#include "espalier/quant/weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/quant/quality.h"

namespace espalier::quant {
namespace {

/// The elements of one channel beside each other, and their importance.
struct Channel {
  std::span<const float> values;
  std::span<const double> importance;  ///< empty: all 1
};

double largest(std::span<const float> values) {
  double top = 0;
  for (const float value : values) top = std::max(top, std::abs(static_cast<double>(value)));
  return top;
}

/// To the nearest integer, ties to even, for magnitudes below 2^51: a call of nearbyint an element
/// would take longer than everything else.
double nearest(double value) {
  constexpr double kShift = 6755399441055744.0;  // 1.5 * 2^52
  return (value + kShift) - kShift;
}

double squared_error(const Channel& channel, double scale, const tensor::QuantGrid& grid) {
  const auto low = static_cast<double>(grid.qmin());
  const auto high = static_cast<double>(grid.qmax());
  double sum = 0;
  for (std::size_t index = 0; index < channel.values.size(); ++index) {
    const auto value = static_cast<double>(channel.values[index]);
    const double code = nearest(std::clamp(value / scale, low, high));
    const double error = code * scale - value;
    sum += error * error * (channel.importance.empty() ? 1.0 : channel.importance[index]);
  }
  return sum;
}

/// Scale of a channel, as float32 holds it; 0 for a channel that is zero (or as good as).
float channel_scale(const Channel& channel, const WeightOptions& options) {
  const double top = largest(channel.values);
  const auto span = static_cast<double>(options.grid.qmax());
  const auto whole = static_cast<float>(top / span);
  if (whole < std::numeric_limits<float>::min()) return 0.0F;
  if (!options.least_error) return whole;
  constexpr int kSteps = 60;
  constexpr double kSmallestFactor = 0.4;
  float best = whole;
  double least = squared_error(channel, static_cast<double>(whole), options.grid);
  for (int step = 1; step <= kSteps; ++step) {
    const double factor = 1.0 - (1.0 - kSmallestFactor) * step / kSteps;
    const auto scale = static_cast<float>(top * factor / span);
    const double error = squared_error(channel, static_cast<double>(scale), options.grid);
    if (error >= least) continue;
    least = error;
    best = scale;
  }
  return best;
}

/// The weight with its channel axis first, as rows.
Tensor rows_of(const Tensor& weight, int axis) {
  const Tensor exact = weight.to(at::kFloat).detach();
  if (axis < 0) return exact.reshape({1, -1}).contiguous();
  return exact.movedim(axis, 0).reshape({exact.size(axis), -1}).contiguous();
}

/// Importance of every element of a row, or nothing.
std::vector<double> row_importance(const Tensor& weight, const WeightOptions& options) {
  if (options.importance.empty()) return {};
  const auto size = static_cast<std::int64_t>(options.importance.size());
  base::invariant(
      options.axis != options.importance_axis && weight.size(options.importance_axis) == size,
      "importance of {} channels for a weight of {}", size, weight.size(options.importance_axis));
  std::vector<std::int64_t> shape(static_cast<std::size_t>(weight.dim()), 1);
  shape[static_cast<std::size_t>(options.importance_axis)] = size;
  auto* data = const_cast<double*>(options.importance.data());
  Tensor spread = at::from_blob(data, {size}, at::kDouble).reshape(shape);
  std::vector<std::int64_t> target = weight.sizes().vec();
  if (options.axis >= 0) target[static_cast<std::size_t>(options.axis)] = 1;
  spread = spread.expand(target);
  if (options.axis >= 0) spread = spread.movedim(options.axis, 0);
  spread = spread.reshape({-1}).contiguous();
  return {spread.data_ptr<double>(), spread.data_ptr<double>() + spread.numel()};
}

double energy(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

[[noreturn]] void refuse_not_finite(std::string_view name) {
  throw base::UserError({.what = "cannot quantize a weight",
                         .where = fmt::format("initializer '{}'", name),
                         .got = "NaN or infinite elements",
                         .expected = "finite numbers",
                         .hint = "the training diverged, or the file is damaged"});
}

/// Gives channels without a scale the smallest of the others.
void fill_missing(std::vector<float>& scales) {
  float smallest = std::numeric_limits<float>::infinity();
  for (const float scale : scales) {
    if (scale > 0) smallest = std::min(smallest, scale);
  }
  if (!std::isfinite(smallest)) smallest = 1.0F;
  for (float& scale : scales) {
    if (scale == 0) scale = smallest;
  }
}

}  // namespace

WeightPlan plan_weight(const Tensor& weight, std::string_view name, const WeightOptions& options) {
  const Tensor rows = rows_of(weight, options.axis);
  const auto width = static_cast<std::size_t>(rows.size(1));
  const auto values_of = [&](std::int64_t row) {
    return std::span<const float>(rows.const_data_ptr<float>() + row * rows.size(1), width);
  };
  const std::vector<double> importance = row_importance(weight, options);
  WeightPlan plan;
  plan.params = {.grid = options.grid, .scale = {}, .zero_point = {}, .axis = options.axis};
  double signal = 0;
  for (std::int64_t row = 0; row < rows.size(0); ++row) {
    const Channel channel{values_of(row), importance};
    signal += energy(channel.values);
    if (!std::isfinite(signal)) refuse_not_finite(name);  // squares of floats fit into a double
    const float scale = channel_scale(channel, options);
    const double limit =
        (static_cast<double>(options.grid.qmax()) + 0.5) * static_cast<double>(scale);
    if (scale > 0 && largest(channel.values) > limit) ++plan.channels_at_limit;
    plan.params.scale.push_back(scale);
    plan.params.zero_point.push_back(0);
  }
  fill_missing(plan.params.scale);
  double error = 0;
  for (std::int64_t row = 0; row < rows.size(0); ++row) {
    const auto scale = static_cast<double>(plan.params.scale[static_cast<std::size_t>(row)]);
    error += squared_error({.values = values_of(row), .importance = {}}, scale, options.grid);
  }
  plan.sqnr_db = decibels(signal, error);
  return plan;
}

Tensor rounded_weight(const Tensor& weight, const WeightPlan& plan) {
  Tensor codes = tensor::quantize(weight, plan.params);
  if (!plan.rounding.empty()) {
    auto* moves = const_cast<std::int8_t*>(plan.rounding.data());
    codes = codes + at::from_blob(moves, weight.sizes(), at::kChar).to(at::kInt);
  }
  return tensor::dequantize(codes, plan.params);
}

int fit_bias(WeightPlan& plan, const Tensor& bias, float input_scale) {
  const tensor::QuantGrid& grid = plan.params.grid;
  const double limit =  // 2^30 steps of the bias
      1073741824.0 / static_cast<double>(tensor::code_headroom(grid.qmin(), grid.qmax()));
  const Tensor values = bias.to(at::kDouble).reshape({-1}).contiguous();
  const std::span<const double> list(values.data_ptr<double>(),
                                     static_cast<std::size_t>(values.numel()));
  int widened = 0;
  for (std::size_t index = 0; index < list.size(); ++index) {
    // Grouped transposed convolutions repeat their scales group by group.
    float& scale = plan.params.scale[index % plan.params.scale.size()];
    const double needed = std::abs(list[index]) / (static_cast<double>(input_scale) * limit);
    if (static_cast<double>(scale) >= needed) continue;
    scale = std::nextafter(static_cast<float>(needed), std::numeric_limits<float>::max());
    ++widened;
  }
  return widened;
}

}  // namespace espalier::quant
