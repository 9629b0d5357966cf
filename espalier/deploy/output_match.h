#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "espalier/deploy/predictions.h"
#include "espalier/tensor/tensor.h"

namespace espalier::deploy {

/// How near test outputs are to reference outputs, over batches: every output by its kind.
class OutputMatch {
 public:
  explicit OutputMatch(OutputMeaning meaning = OutputMeaning::ByShape) : meaning_(meaning) {}

  /// Throws UserError that names the output when their number, shapes or kinds differ, or change
  /// from batch to batch.
  void add(std::span<const Tensor> reference, std::span<const Tensor> test);

  /// Share of equal predictions, of the output that does worst; nothing when none holds classes.
  [[nodiscard]] std::optional<double> agreement() const;
  /// Predictions of that output that differ.
  [[nodiscard]] std::int64_t different() const;
  /// Signal to noise of plain values, of the output that does worst; nothing when all outputs hold
  /// classes or a value is not finite.
  [[nodiscard]] std::optional<double> value_decibel() const;

 private:
  struct Output {
    OutputKind kind = OutputKind::Values;
    Agreement agreement = {};
    SignalToNoise noise = {};
  };
  /// The output with the least share of equal predictions; null when none holds classes.
  [[nodiscard]] const Output* worst_classes() const;

  OutputMeaning meaning_;
  std::vector<Output> outputs_;
};

}  // namespace espalier::deploy
