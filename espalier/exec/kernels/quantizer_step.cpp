#include "espalier/exec/kernels/quantizer_step.h"

#include <algorithm>
#include <cmath>

#include <c10/core/GradMode.h>

namespace espalier::exec {
namespace {

/// Scales of quantizers that learn them may be moved below zero; this is what counts then.
constexpr float kLeastScale = 1e-12F;

/// The scale that keeps the largest code within the bounds of what comes before.
float bounded_scale(const QuantizerSettings& settings, float scale, float zero) {
  const float codes = settings.qmax - zero;
  if (settings.bound <= 0 || codes <= 0 || double{codes * scale} <= settings.bound) return scale;
  auto bounded = static_cast<float>(settings.bound / double{codes});
  while (double{codes * bounded} > settings.bound) bounded = std::nextafter(bounded, 0.0F);
  return bounded;
}

/// PACT and LSQ count a value at a learned limit as beyond it, so that the limit moves for the
/// values that a Clip in front holds there. An edge covers what dividing by a rounded scale does to
/// such a value. An end at zero moves with no scale and stays inside.
void set_edges(const QuantizerSettings& settings, simd::QuantizerForm& form) {
  if (settings.estimator == nullptr || settings.estimator->differentiate == nullptr) return;
  constexpr float kRelativeEdge = 0x1p-22F;  // 2^-23 of the quotient, and the sum with the zero
  const float edge = (form.high - form.low) * kRelativeEdge;
  if (form.low < form.zero) form.low_edge = edge;
  if (form.high > form.zero) form.high_edge = edge;
}

}  // namespace

QuantizerStep::QuantizerStep(const QuantizerSettings& settings, const QuantizerTensors& tensors,
                             QuantizerMode mode)
    : settings_(settings), tensors_(tensors), frozen_(mode.frozen) {
  const EstimatorRow* row = settings_.estimator;
  if (row == nullptr || row->observe == nullptr || frozen_) return;
  const bool follows = row->follows_weight && settings_.weight;
  looks_ = mode.training || follows;
  looks_first_ = looks_ && row->looks_first(tensors_);
  // The scale of an activation that follows each batch is not kept: evaluation uses the stored one.
  if (looks_ && row->follows_weight && !settings_.weight) tensors_.scale = tensors_.scale.clone();
}

void QuantizerStep::observe(std::span<const simd::Extremes> extremes) {
  if (looks_) settings_.estimator->observe(settings_, extremes, tensors_);
}

bool QuantizerStep::learns() const {
  return settings_.estimator != nullptr && settings_.estimator->differentiate != nullptr &&
         !frozen_;
}

std::vector<simd::QuantizerForm> QuantizerStep::forms() {
  const EstimatorRow* row = settings_.estimator;
  if (row != nullptr && row->derive != nullptr) row->derive(settings_, tensors_);
  const c10::AutoGradMode no_gradients(false);
  const Tensor scales = tensors_.scale.to(at::kFloat).reshape({-1}).contiguous();
  const Tensor zeros = tensors_.zero_point.to(at::kFloat).reshape({-1}).contiguous();
  std::vector<simd::QuantizerForm> forms(static_cast<std::size_t>(scales.numel()));
  for (std::size_t index = 0; index < forms.size(); ++index) {
    const float zero = zeros.const_data_ptr<float>()[index];
    const float scale = bounded_scale(settings_, scales.const_data_ptr<float>()[index], zero);
    forms[index] = {.scale = scale < kLeastScale ? kLeastScale : scale,
                    .zero = zero,
                    .low = settings_.qmin,
                    .high = settings_.qmax};
    set_edges(settings_, forms[index]);
  }
  return forms;
}

}  // namespace espalier::exec
