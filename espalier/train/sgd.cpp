#include "espalier/train/sgd.h"

#include <cmath>

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include "espalier/base/check.h"

namespace espalier::train {
namespace {

constexpr std::int64_t kPieceElements = 16384;

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

/// The gradient with the memory layout of the parameter.
Tensor aligned_gradient(const Tensor& value) {
  const Tensor& gradient = value.grad();
  if (gradient.scalar_type() == value.scalar_type() && gradient.strides() == value.strides()) {
    return gradient;
  }
  Tensor aligned = at::empty_like(value.detach());
  aligned.copy_(gradient);
  return aligned;
}

class Sgd final : public Optimizer {
 public:
  Sgd(const SgdOptions& options, std::vector<OptimizedParameter> list)
      : Optimizer(std::move(list)), options_(options) {
    for (const OptimizedParameter& parameter : parameters()) {
      base::invariant(parameter.value.is_non_overlapping_and_dense(),
                      "the parameter '{}' has gaps in memory", parameter.name);
      velocities_.push_back(options.momentum > 0 ? at::zeros_like(parameter.value.detach())
                                                 : Tensor());
    }
  }

  void step(double lr) override {
    std::vector<Tensor> gradients;
    for (const OptimizedParameter& parameter : parameters()) {
      gradients.push_back(parameter.value.grad().defined() ? aligned_gradient(parameter.value)
                                                           : Tensor());
    }
    update_all<float>(lr, gradients, at::kFloat);
    update_all<double>(lr, gradients, at::kDouble);
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
  void update_all(double lr, const std::vector<Tensor>& gradients, at::ScalarType type) {
    std::vector<Piece<Real>> pieces;
    for (std::size_t index = 0; index < parameters().size(); ++index) {
      const OptimizedParameter& parameter = parameters()[index];
      if (!gradients[index].defined() || parameter.value.scalar_type() != type) continue;
      const Rule<Real> rule{.momentum = static_cast<Real>(options_.momentum),
                            .decay = static_cast<Real>(parameter.weight_decay),
                            .rate = static_cast<Real>(lr * parameter.lr_scale),
                            .nesterov = options_.nesterov};
      // detach() shares the memory and does not record the change in the autograd graph.
      Real* value = parameter.value.detach().template mutable_data_ptr<Real>();
      const Real* gradient = gradients[index].template const_data_ptr<Real>();
      Real* velocity = velocities_[index].defined()
                           ? velocities_[index].template mutable_data_ptr<Real>()
                           : nullptr;
      const std::int64_t total = parameter.value.numel();
      for (std::int64_t start = 0; start < total; start += kPieceElements) {
        pieces.push_back({.value = value + start,
                          .gradient = gradient + start,
                          .velocity = velocity == nullptr ? nullptr : velocity + start,
                          .count = std::min(kPieceElements, total - start),
                          .rule = rule});
      }
    }
    at::parallel_for(0, static_cast<std::int64_t>(pieces.size()), 4,
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t index = begin; index < end; ++index) {
                         update(pieces[static_cast<std::size_t>(index)]);
                       }
                     });
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
