#pragma once

#include <span>
#include <vector>

#include "espalier/exec/kernels/estimate.h"

namespace espalier::exec {

/// What a program is doing.
struct QuantizerMode {
  bool training = false;
  bool frozen = false;  ///< parameters stay as they are, in training too
};

/// One use of a trainable quantizer: decides when the value is looked at, and keeps the tensors up
/// to date. An estimator that follows a history quantizes with what it knew before this value, so
/// that one loop both quantizes and observes; it looks first only while it knows nothing.
class QuantizerStep {
 public:
  QuantizerStep(const QuantizerSettings& settings, const QuantizerTensors& tensors,
                QuantizerMode mode);

  /// True when observe() must come before forms().
  [[nodiscard]] bool looks_first() const { return looks_first_; }
  /// True when observe() is to be called with the extremes that quantizing found.
  [[nodiscard]] bool looks_after() const { return looks_ && !looks_first_; }
  /// Takes in the extremes of the value, one a scale; does nothing for estimators that do not look.
  void observe(std::span<const simd::Extremes> extremes);
  /// Parameters by scale, derived ones brought up to date.
  [[nodiscard]] std::vector<simd::QuantizerForm> forms();

  /// True when no element can lie outside of the codes: weights whose scale was just taken from
  /// them.
  [[nodiscard]] bool covers_all() const { return looks_first_ && settings_.weight; }
  /// True when gradients of learned tensors are wanted.
  [[nodiscard]] bool learns() const;
  [[nodiscard]] const QuantizerSettings& settings() const { return settings_; }
  [[nodiscard]] const QuantizerTensors& tensors() const { return tensors_; }

 private:
  QuantizerSettings settings_;
  QuantizerTensors tensors_;
  bool looks_ = false;
  bool looks_first_ = false;
  bool frozen_ = false;
};

}  // namespace espalier::exec
