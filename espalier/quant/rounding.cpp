#include "espalier/quant/rounding.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>

#include "espalier/base/check.h"
#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"
#include "espalier/quant/quality.h"
#include "espalier/quant/weights.h"
#include "espalier/tensor/worker_threads.h"

namespace espalier::quant {
namespace {

/// One output channel: w ~ scale * code.
struct Row {
  std::span<const float> weight;
  double scale = 1;
  double low = 0;   ///< smallest code
  double high = 0;  ///< largest code
};

/// Descends on e^T C e with e = w - scale * code, one element at a time; each code stays within one
/// of the nearest. `moves` receives code - nearest.
class Descent {
 public:
  Descent(const Row& row, const float* covariance, std::span<std::int8_t> moves)
      : row_(row), covariance_(covariance), size_(row.weight.size()), moves_(moves) {
    error_.resize(size_);
    gradient_.assign(size_, 0.0F);
    nearest_.resize(size_);
    for (std::size_t index = 0; index < size_; ++index) {
      const auto weight = static_cast<double>(row.weight[index]);
      nearest_[index] = std::clamp(std::nearbyint(weight / row.scale), row.low, row.high);
      error_[index] = weight - nearest_[index] * row.scale;
      moves_[index] = 0;
    }
    for (std::size_t index = 0; index < size_; ++index) add(index, error_[index]);
  }

  [[nodiscard]] double error() const {
    double sum = 0;
    for (std::size_t index = 0; index < size_; ++index) {
      sum += error_[index] * static_cast<double>(gradient_[index]);
    }
    return std::max(sum, 0.0);
  }

  void run(int sweeps) {
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      bool changed = false;
      for (std::size_t index = 0; index < size_; ++index) changed |= improve(index);
      if (!changed) return;
    }
  }

 private:
  /// gradient += C[:, index] * amount.
  void add(std::size_t index, double amount) {
    const float* column = covariance_ + index * size_;
    const auto factor = static_cast<float>(amount);
    float* gradient = gradient_.data();
    for (std::size_t other = 0; other < size_; ++other) gradient[other] += factor * column[other];
  }

  bool improve(std::size_t index) {
    const auto curvature = static_cast<double>(covariance_[index * size_ + index]);
    if (!(curvature > 0)) return false;
    // Moving the code by d changes e by -scale d: the error by s d (s d c - 2 g).
    const double wanted = static_cast<double>(gradient_[index]) / (row_.scale * curvature);
    const double least = std::max(-1.0, row_.low - nearest_[index]);
    const double most = std::min(1.0, row_.high - nearest_[index]);
    const double present = moves_[index];
    const double target = std::clamp(std::nearbyint(present + wanted), least, most);
    const double step = target - present;
    if (step == 0) return false;
    const double change =
        row_.scale * step *
        (row_.scale * step * curvature - 2 * static_cast<double>(gradient_[index]));
    constexpr double kSmallestGain = 1e-9;
    if (change >= -kSmallestGain * row_.scale * row_.scale * curvature) return false;
    moves_[index] = static_cast<std::int8_t>(target);
    error_[index] -= row_.scale * step;
    add(index, -row_.scale * step);
    return true;
  }

  const Row& row_;
  const float* covariance_;
  std::size_t size_;
  std::span<std::int8_t> moves_;
  std::vector<double> error_;
  std::vector<double> nearest_;
  std::vector<float> gradient_;  ///< C e
};

Tensor with_channels_first(const Tensor& weight, int axis) {
  return weight.to(at::kFloat).movedim(axis, 0).contiguous();
}

/// A layer whose weight the step may change.
struct Candidate {
  const ir::Node* node = nullptr;
  std::string weight;
  std::string bias;  ///< constant bias used by this node alone, or empty
};

std::vector<Candidate> candidates_of(const ir::Graph& graph, const QuantPlan& plan,
                                     const RoundingOptions& options,
                                     std::vector<std::string>& left) {
  std::vector<Candidate> candidates;
  for (const ir::Node* node : graph.nodes()) {
    const auto port = ops::weight_port(*node);
    if (!port || !plan.weights.contains(node->input(*port)->name())) continue;
    if (ops::find(*node)->cost == ops::CostRule::None) continue;
    const ir::Value& weight = *node->input(*port);
    const bool alone = weight.uses().size() == 1;
    if (!alone || !has_moments(*node) || moment_bytes(*node) > options.max_bytes) {
      left.push_back(node->name());
      continue;
    }
    const ir::Value* bias = ops::bias_initializer(*node);
    const bool own_bias = bias != nullptr && bias->uses().size() == 1 && !bias->is_output();
    candidates.push_back(
        {.node = node, .weight = weight.name(), .bias = own_bias ? bias->name() : ""});
  }
  return candidates;
}

void round_layer(const Candidate& candidate, const ir::Graph& graph, const LayerMoments& moments,
                 const RoundingOptions& options, QuantPlan& plan, RoundingReport& report) {
  WeightPlan& entry = plan.weights.at(candidate.weight);
  const Tensor& weight = graph.find_value(candidate.weight)->constant();
  const int axis = *ops::weight_axis(*candidate.node);
  Tensor second = moments.covariance;
  if (candidate.bias.empty()) {
    second = second + moments.mean.unsqueeze(2) * moments.mean.unsqueeze(1);
  }
  RowErrors errors;
  entry.rounding = round_weight(weight, entry.params, axis, second.contiguous(), options, errors);
  report.layers.push_back(
      {.node = candidate.node->name(), .before = errors.before, .after = errors.after});
  const Tensor error = weight.to(at::kFloat) - rounded_weight(weight, entry);
  entry.sqnr_db = decibels(energy_of(weight), energy_of(error));
  if (candidate.bias.empty()) return;
  const Tensor rows = error.movedim(axis, 0);
  const std::int64_t groups = moments.mean.size(0);
  const Tensor grouped = rows.reshape({groups, rows.size(0) / groups, -1});
  const Tensor shift = (grouped * moments.mean.unsqueeze(1)).sum(2).reshape({-1}).contiguous();
  plan.bias_corrections[candidate.bias] = {shift.data_ptr<float>(),
                                           shift.data_ptr<float>() + shift.numel()};
}

}  // namespace

std::vector<std::int8_t> round_weight(const Tensor& weight, const tensor::QuantParams& params,
                                      int axis, const Tensor& covariance,
                                      const RoundingOptions& options, RowErrors& errors) {
  const Tensor rows = with_channels_first(weight, axis);
  const auto channels = static_cast<std::size_t>(rows.size(0));
  const auto width = static_cast<std::size_t>(rows.numel() / rows.size(0));
  const auto groups = static_cast<std::size_t>(covariance.size(0));
  base::invariant(covariance.size(1) == static_cast<std::int64_t>(width) && channels % groups == 0,
                  "covariance of {} columns in {} groups for {} rows of {}", covariance.size(1),
                  groups, channels, width);
  std::vector<std::int8_t> moves(channels * width);
  std::vector<RowErrors> found(channels);
  tensor::for_each_index(0, channels, options.threads, [&](std::size_t channel) {
    const std::size_t group = channel / (channels / groups);
    const Row row{.weight = {rows.data_ptr<float>() + channel * width, width},
                  .scale = static_cast<double>(params.scale[params.per_channel() ? channel : 0]),
                  .low = static_cast<double>(params.grid.qmin()),
                  .high = static_cast<double>(params.grid.qmax())};
    Descent descent(row, covariance.data_ptr<float>() + group * width * width,
                    std::span(moves).subspan(channel * width, width));
    found[channel].before = descent.error();
    descent.run(options.sweeps);
    found[channel].after = descent.error();
  });
  errors = {};
  for (const RowErrors& row : found) {
    errors.before += row.before / static_cast<double>(channels);
    errors.after += row.after / static_cast<double>(channels);
  }
  const Tensor in_rows = at::from_blob(moves.data(), rows.sizes(), at::kChar);
  const Tensor in_place = in_rows.movedim(0, axis).contiguous();
  return {in_place.data_ptr<std::int8_t>(), in_place.data_ptr<std::int8_t>() + in_place.numel()};
}

RoundingReport optimize_rounding(const ir::Graph& prepared, QuantPlan& plan, const OpenSource& open,
                                 const RoundingOptions& options) {
  RoundingReport report;
  const auto candidates = candidates_of(prepared, plan, options, report.left);
  for (std::size_t first = 0; first < candidates.size();) {
    std::vector<std::string> names;
    std::uint64_t bytes = 0;
    std::size_t last = first;
    while (last < candidates.size()) {
      bytes += moment_bytes(*candidates[last].node);
      if (last > first && bytes > options.max_bytes) break;
      names.push_back(candidates[last++].node->name());
    }
    const auto moments = collect_moments(prepared, names, open(), options.data);
    for (; first < last; ++first) {
      const Candidate& candidate = candidates[first];
      round_layer(candidate, prepared, moments.at(candidate.node->name()), options, plan, report);
    }
  }
  return report;
}

}  // namespace espalier::quant
