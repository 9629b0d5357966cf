#include "espalier/train/gradients.h"

#include <array>
#include <cmath>
#include <numeric>

#include <ATen/core/grad_mode.h>

#include "espalier/base/check.h"
#include "espalier/train/element_ranges.h"

namespace espalier::train {
namespace {

/// Sum of squares in sixteen lanes, whatever the instruction set.
template <typename Real>
double sum_of_squares(const Real* values, std::int64_t count) {
  constexpr std::int64_t kLanes = 16;
  std::array<double, kLanes> sums{};
  std::int64_t index = 0;
  for (; index + kLanes <= count; index += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<double>(values[index + lane]);
      sums[static_cast<std::size_t>(lane)] += value * value;
    }
  }
  for (; index < count; ++index) {
    const auto value = static_cast<double>(values[index]);
    sums[0] += value * value;
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

/// The gradients there are, each without gaps in memory.
std::vector<Tensor> dense_gradients(const exec::TensorMap& parameters) {
  std::vector<Tensor> gradients;
  for (const auto& [name, parameter] : parameters) {
    const Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    gradients.push_back(gradient.is_non_overlapping_and_dense() ? gradient : gradient.contiguous());
  }
  return gradients;
}

}  // namespace

void check_clip(const ClipOptions& options) {
  base::check(options.kind == ClipOptions::Kind::None ||
                  (std::isfinite(options.limit) && options.limit > 0),
              "limit of gradient clipping: got {}, expected a number above 0", options.limit);
}

std::string describe_clip(const ClipOptions& options) {
  switch (options.kind) {
    case ClipOptions::Kind::None:
      return "";
    case ClipOptions::Kind::GlobalNorm:
      return fmt::format("clip global_norm {}", options.limit);
    case ClipOptions::Kind::Value:
      return fmt::format("clip value {}", options.limit);
  }
  return "";
}

double gradient_norm(const exec::TensorMap& parameters) {
  const std::vector<Tensor> gradients = dense_gradients(parameters);
  const std::vector<ElementRange> ranges = split_elements(gradients);
  std::vector<double> sums(ranges.size());
  for_each_range(ranges, [&](std::size_t index) {
    const ElementRange& range = ranges[index];
    const Tensor& gradient = gradients[range.tensor];
    const std::int64_t count = range.end - range.begin;
    sums[index] = gradient.scalar_type() == at::kFloat
                      ? sum_of_squares(gradient.const_data_ptr<float>() + range.begin, count)
                      : sum_of_squares(gradient.const_data_ptr<double>() + range.begin, count);
  });
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

void clip_gradients(const exec::TensorMap& parameters, const ClipOptions& options, double norm) {
  const bool by_norm = options.kind == ClipOptions::Kind::GlobalNorm;
  if (options.kind == ClipOptions::Kind::None || (by_norm && norm <= options.limit)) return;
  const at::NoGradGuard no_gradients;
  for (const auto& [name, parameter] : parameters) {
    const Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    if (by_norm) {
      gradient.mul_(options.limit / norm);
    } else {
      gradient.clamp_(-options.limit, options.limit);
    }
  }
}

}  // namespace espalier::train
