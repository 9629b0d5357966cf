#include "espalier/train/sgd.h"

#include <algorithm>
#include <cmath>

#include <ATen/ops/zeros_like.h>

#include "espalier/base/check.h"
#include "espalier/train/element_ranges.h"

namespace espalier::train {
namespace {

/// The numbers of one update.
template <typename Real>
struct Rule {
  Real momentum;
  Real decay;
  Real rate;
  bool nesterov;
};

/// A run of elements of one parameter.
template <typename Real>
struct Piece {
  Real* value;
  const Real* gradient;
  Real* velocity;  ///< null without momentum
  std::int64_t count;
  Rule<Real> rule;
};

/// Of parameters that are positive and small (scales, clip values): a step goes at most half the
/// way to zero, so that no gradient, however large, gives a scale another sign.
template <typename Real>
void update_bounded(const Piece<Real>& piece) {
  const Rule<Real> rule = piece.rule;
  for (std::int64_t index = 0; index < piece.count; ++index) {
    Real& value = piece.value[index];
    Real slope = piece.gradient[index] + rule.decay * value;
    if (piece.velocity != nullptr) {
      Real& velocity = piece.velocity[index];
      velocity = rule.momentum * velocity + slope;
      slope = rule.nesterov ? slope + rule.momentum * velocity : velocity;
    }
    const Real bound = std::abs(value) / 2;
    value -= std::isnan(slope) ? slope : std::clamp(rule.rate * slope, -bound, bound);
  }
}

template <typename Real>
void update(const Piece<Real>& piece) {
  const Rule<Real> rule = piece.rule;
  Real* __restrict value = piece.value;
  Real* __restrict velocity = piece.velocity;
  const Real* __restrict gradient = piece.gradient;
  if (velocity == nullptr) {
    for (std::int64_t index = 0; index < piece.count; ++index) {
      value[index] -= rule.rate * (gradient[index] + rule.decay * value[index]);
    }
  } else if (rule.nesterov) {
    for (std::int64_t index = 0; index < piece.count; ++index) {
      const Real slope = gradient[index] + rule.decay * value[index];
      velocity[index] = rule.momentum * velocity[index] + slope;
      value[index] -= rule.rate * (slope + rule.momentum * velocity[index]);
    }
  } else {
    for (std::int64_t index = 0; index < piece.count; ++index) {
      const Real slope = gradient[index] + rule.decay * value[index];
      velocity[index] = rule.momentum * velocity[index] + slope;
      value[index] -= rule.rate * velocity[index];
    }
  }
}

class Sgd final : public Optimizer {
 public:
  Sgd(const SgdOptions& options, std::vector<OptimizedParameter> list)
      : Optimizer(std::move(list)), options_(options) {
    for (const OptimizedParameter& parameter : parameters()) {
      velocities_.push_back(options.momentum > 0 ? at::zeros_like(parameter.value.detach())
                                                 : Tensor());
    }
  }

  void step(double lr) override {
    const std::vector<Tensor> gradients = aligned_gradients();
    const std::vector<ElementRange> ranges = split_elements(gradients);
    for_each_range(ranges, [&](std::size_t index) {
      const ElementRange& range = ranges[index];
      if (gradients[range.tensor].scalar_type() == at::kFloat) {
        update_range<float>(range, gradients[range.tensor], lr);
      } else {
        update_range<double>(range, gradients[range.tensor], lr);
      }
    });
  }

  [[nodiscard]] exec::TensorMap slots() const override {
    exec::TensorMap map;
    for (std::size_t index = 0; index < velocities_.size(); ++index) {
      if (velocities_[index].defined()) {
        map.emplace("momentum/" + parameters()[index].name, velocities_[index]);
      }
    }
    return map;
  }

  [[nodiscard]] std::string describe() const override {
    return fmt::format("sgd momentum {}{}", options_.momentum,
                       options_.nesterov ? " nesterov" : "");
  }

 private:
  template <typename Real>
  void update_range(const ElementRange& range, const Tensor& gradient, double lr) const {
    const OptimizedParameter& parameter = parameters()[range.tensor];
    const Tensor& velocity = velocities_[range.tensor];
    Real* state = velocity.defined() ? velocity.mutable_data_ptr<Real>() + range.begin : nullptr;
    const auto rule = parameter.relative ? &update_bounded<Real> : &update<Real>;
    rule({.value = parameter.value.mutable_data_ptr<Real>() + range.begin,
          .gradient = gradient.const_data_ptr<Real>() + range.begin,
          .velocity = state,
          .count = range.end - range.begin,
          .rule = {.momentum = static_cast<Real>(options_.momentum),
                   .decay = static_cast<Real>(parameter.weight_decay),
                   .rate = static_cast<Real>(lr * parameter.lr_scale),
                   .nesterov = options_.nesterov}});
  }

  SgdOptions options_;
  std::vector<Tensor> velocities_;  ///< undefined without momentum
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(const SgdOptions& options,
                                    std::vector<OptimizedParameter> parameters) {
  base::check(std::isfinite(options.momentum) && options.momentum >= 0 && options.momentum < 1,
              "optimizer sgd, momentum: got {}, expected 0 or more and below 1", options.momentum);
  base::check(!options.nesterov || options.momentum > 0,
              "optimizer sgd: nesterov needs a momentum above 0");
  return std::make_unique<Sgd>(options, std::move(parameters));
}

}  // namespace espalier::train
