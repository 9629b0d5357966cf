#include "espalier/train/adam.h"

#include <algorithm>
#include <cmath>

#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "espalier/base/check.h"
#include "espalier/train/element_ranges.h"

namespace espalier::train {
namespace {

/// The numbers of one update of one parameter.
struct Rule {
  double first = 0;       ///< beta1
  double second = 0;      ///< beta2
  double rate = 0;        ///< lr / (1 - beta1^t)
  double root_scale = 1;  ///< 1 / sqrt(1 - beta2^t)
  double epsilon = 0;
  double coupled_decay = 0;  ///< added to the gradient
  double shrink = 1;         ///< 1 - lr * weight_decay, of the decoupled form
  bool relative = false;
};

/// The memory of one parameter and its state.
struct Buffers {
  const Tensor& value;
  const Tensor& gradient;
  const Tensor& first;
  const Tensor& second;
};

template <typename Real, bool kRelative>
void update_range(const Buffers& buffers, const ElementRange& range, const Rule& rule) {
  Real* __restrict value = buffers.value.mutable_data_ptr<Real>();
  const Real* __restrict gradient = buffers.gradient.const_data_ptr<Real>();
  Real* __restrict first = buffers.first.mutable_data_ptr<Real>();
  Real* __restrict second = buffers.second.mutable_data_ptr<Real>();
  const auto keep_first = static_cast<Real>(rule.first);
  const auto take_first = static_cast<Real>(1 - rule.first);
  const auto keep_second = static_cast<Real>(rule.second);
  const auto take_second = static_cast<Real>(1 - rule.second);
  const auto rate = static_cast<Real>(rule.rate);
  const auto root_scale = static_cast<Real>(rule.root_scale);
  const auto epsilon = static_cast<Real>(rule.epsilon);
  const auto decay = static_cast<Real>(rule.coupled_decay);
  const auto shrink = static_cast<Real>(rule.shrink);
  for (std::int64_t index = range.begin; index < range.end; ++index) {
    const Real slope = gradient[index] + decay * value[index];
    first[index] = keep_first * first[index] + take_first * slope;
    second[index] = keep_second * second[index] + take_second * slope * slope;
    const Real root = std::sqrt(second[index]) * root_scale + epsilon;
    Real step = rate * (first[index] / root);
    if constexpr (kRelative) {
      // At most half the way to zero, as SGD has it: what has vanished would never come back.
      const Real limit{0.5};
      step = std::abs(value[index]) * (std::isnan(step) ? step : std::clamp(step, -limit, limit));
    }
    value[index] = shrink * value[index] - step;
  }
}

template <typename Real>
void update(const Buffers& buffers, const ElementRange& range, const Rule& rule) {
  if (rule.relative) return update_range<Real, true>(buffers, range, rule);
  update_range<Real, false>(buffers, range, rule);
}

class Adam final : public Optimizer {
 public:
  Adam(const AdamOptions& options, std::vector<OptimizedParameter> list)
      : Optimizer(std::move(list)), options_(options) {
    for (const OptimizedParameter& parameter : parameters()) {
      first_.push_back(at::zeros_like(parameter.value.detach()));
      second_.push_back(at::zeros_like(parameter.value.detach()));
      updates_.push_back(at::zeros({1}, at::kLong));
    }
  }

  void step(double lr) override {
    const std::vector<Tensor> gradients = aligned_gradients();
    std::vector<Rule> rules(gradients.size());
    for (std::size_t index = 0; index < gradients.size(); ++index) {
      if (gradients[index].defined()) rules[index] = next_rule(index, lr);
    }
    const std::vector<ElementRange> ranges = split_elements(gradients);
    for_each_range(ranges, [&](std::size_t index) {
      const ElementRange& range = ranges[index];
      const std::size_t place = range.tensor;
      const Buffers buffers{.value = parameters()[place].value,
                            .gradient = gradients[place],
                            .first = first_[place],
                            .second = second_[place]};
      if (buffers.value.scalar_type() == at::kFloat) {
        update<float>(buffers, range, rules[place]);
      } else {
        update<double>(buffers, range, rules[place]);
      }
    });
  }

  [[nodiscard]] exec::TensorMap slots() const override {
    exec::TensorMap map;
    for (std::size_t index = 0; index < first_.size(); ++index) {
      const std::string& name = parameters()[index].name;
      map.emplace("first_moment/" + name, first_[index]);
      map.emplace("second_moment/" + name, second_[index]);
      map.emplace("updates/" + name, updates_[index]);
    }
    return map;
  }

  [[nodiscard]] std::string describe() const override {
    return fmt::format("{} beta1 {} beta2 {} epsilon {}",
                       options_.decoupled_decay ? "adamw" : "adam", options_.beta1, options_.beta2,
                       options_.epsilon);
  }

 private:
  /// Counts one more update of a parameter; the numbers it is made with.
  [[nodiscard]] Rule next_rule(std::size_t index, double lr) {
    const OptimizedParameter& parameter = parameters()[index];
    auto& count = *updates_[index].mutable_data_ptr<std::int64_t>();
    const auto number = static_cast<double>(++count);
    const double rate = lr * parameter.lr_scale;
    const bool decoupled = options_.decoupled_decay;
    return {.first = options_.beta1,
            .second = options_.beta2,
            .rate = rate / (1 - std::pow(options_.beta1, number)),
            .root_scale = 1 / std::sqrt(1 - std::pow(options_.beta2, number)),
            .epsilon = options_.epsilon,
            .coupled_decay = decoupled ? 0 : parameter.weight_decay,
            .shrink = decoupled ? 1 - rate * parameter.weight_decay : 1,
            .relative = parameter.relative};
  }

  AdamOptions options_;
  std::vector<Tensor> first_;
  std::vector<Tensor> second_;
  std::vector<Tensor> updates_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adam(const AdamOptions& options,
                                     std::vector<OptimizedParameter> parameters) {
  const auto check_rate = [](std::string_view name, double rate) {
    base::check(std::isfinite(rate) && rate >= 0 && rate < 1,
                "optimizer adam, {}: got {}, expected 0 or more and below 1", name, rate);
  };
  check_rate("beta1", options.beta1);
  check_rate("beta2", options.beta2);
  base::check(std::isfinite(options.epsilon) && options.epsilon > 0,
              "optimizer adam, epsilon: got {}, expected a number above 0", options.epsilon);
  return std::make_unique<Adam>(options, std::move(parameters));
}

}  // namespace espalier::train
