#include "espalier/deploy/predictions.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/topk.h>

namespace espalier::deploy {
namespace {

constexpr double kNoNoiseDecibel = 200;

std::int64_t count(const Tensor& mask) {
  return mask.sum().item<std::int64_t>();
}

/// One score a class and sample, whatever axes of one element follow.
bool is_class_vector(const Tensor& output) {
  return output.dim() >= 2 && output.size(0) * output.size(1) == output.numel();
}

}  // namespace

OutputKind output_kind(const Tensor& output, OutputMeaning meaning) {
  if (meaning == OutputMeaning::Values) return OutputKind::Values;
  if (!output.is_floating_point()) return OutputKind::Labels;
  if (is_class_vector(output) && output.size(1) > 1) return OutputKind::Scores;
  if (output.dim() == 4 && output.size(1) > 1) return OutputKind::DenseScores;
  return OutputKind::Values;
}

Tensor predictions(const Tensor& output, OutputKind kind) {
  if (kind == OutputKind::Values) return {};
  if (kind == OutputKind::Labels) return output.to(at::kLong);
  return at::argmax(kind == OutputKind::Scores ? output.flatten(1) : output, /*dim=*/1);
}

void Agreement::add(const Tensor& left, const Tensor& right, OutputKind kind) {
  if (kind == OutputKind::Values || left.sizes() != right.sizes()) return;
  equal_ += count(predictions(left, kind) == predictions(right, kind));
  const Tensor& any = left;
  total_ += kind == OutputKind::Labels ? any.numel() : any.numel() / any.size(1);
}

std::optional<double> Agreement::share() const {
  if (total_ == 0) return std::nullopt;
  return static_cast<double>(equal_) / static_cast<double>(total_);
}

void Accuracy::add(const Tensor& output, const Tensor& labels, OutputKind kind) {
  if (kind == OutputKind::Values || !labels.defined()) return;
  const Tensor classes = predictions(output, kind);
  if (labels.sizes() != classes.sizes()) return;
  const Tensor known = labels >= 0;
  const std::int64_t total = count(known);
  if (total == 0) return;
  const bool dense = kind != OutputKind::Scores && labels.dim() > 1;
  Hits& first = counts_[dense ? "pixel_accuracy" : "top1"];
  first.hits += count((classes == labels).logical_and(known));
  first.total += total;
  constexpr std::int64_t kTop = 5;
  if (kind != OutputKind::Scores || output.size(1) <= kTop) return;
  const Tensor best = std::get<1>(at::topk(output.flatten(1), kTop, /*dim=*/1));
  Hits& fifth = counts_["top5"];
  fifth.hits += count((best == labels.unsqueeze(1)).any(/*dim=*/1).logical_and(known));
  fifth.total += total;
}

std::map<std::string, double> Accuracy::percent() const {
  std::map<std::string, double> result;
  for (const auto& [name, hits] : counts_) {
    result[name] = 100.0 * static_cast<double>(hits.hits) / static_cast<double>(hits.total);
  }
  return result;
}

void SignalToNoise::add(std::span<const Tensor> reference, std::span<const Tensor> test) {
  for (std::size_t index = 0; index < std::min(reference.size(), test.size()); ++index) {
    if (reference[index].sizes() != test[index].sizes()) continue;
    const Tensor signal = reference[index].to(at::kDouble);
    const Tensor noise = signal - test[index].to(at::kDouble);
    signal_ += (signal * signal).sum().item<double>();
    noise_ += (noise * noise).sum().item<double>();
    elements_ += signal.numel();
  }
}

std::optional<double> SignalToNoise::decibel() const {
  if (elements_ == 0 || !std::isfinite(signal_) || !std::isfinite(noise_)) return std::nullopt;
  if (noise_ == 0) return kNoNoiseDecibel;
  constexpr double kSmallest = 1e-30;
  return std::min(kNoNoiseDecibel, 10 * std::log10(std::max(signal_, kSmallest) / noise_));
}

std::int64_t count_not_finite(std::span<const Tensor> outputs) {
  std::int64_t total = 0;
  for (const Tensor& output : outputs) {
    if (!output.is_floating_point()) continue;
    total += output.numel() - count(at::isfinite(output));
  }
  return total;
}

}  // namespace espalier::deploy
