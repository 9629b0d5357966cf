#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "espalier/exec/kernels/simd/quantize_train.h"
#include "espalier/ir/node.h"
#include "espalier/ops/estimator.h"
#include "espalier/tensor/tensor.h"

namespace espalier::exec {

struct EstimatorRow;

/// What a FakeQuantize node says about its quantizer.
struct QuantizerSettings {
  float qmin = 0;
  float qmax = 255;
  std::int64_t axis = -1;                   ///< -1: per tensor
  const EstimatorRow* estimator = nullptr;  ///< null: parameters are fixed
  bool weight = false;                      ///< attribute "role" is "weight"
  bool symmetric = false;                   ///< moving_average_min_max: the zero point stays
  float rate = 0.9F;                        ///< of moving averages: the share that stays
  /// Upper bound of what comes before an activation with an estimator (a Clip's); 0: none. No scale
  /// reaches beyond it: an engine could not leave the Clip out then. Nor does a gradient lead
  /// there.
  double bound = 0;
};

/// Reads the attributes qmin, qmax, axis, estimator, role, symmetric and rate. Throws UserError
/// naming the node for values that make no sense.
[[nodiscard]] QuantizerSettings quantizer_settings(const ir::Node& node);

/// The tensors that a quantizer reads, and an estimator changes: on the CPU, as the program holds
/// them. scale and zero_point have one element, or one an index of the axis.
struct QuantizerTensors {
  Tensor scale;
  Tensor zero_point;
  Tensor state;  ///< undefined where the estimator has none
};

/// Copies of a node's constants in that form. Throws UserError naming the node where one is
/// computed.
[[nodiscard]] QuantizerTensors quantizer_tensors(const ir::Node& node);

/// Sums of gradients over the elements of one scale, as simd::GradientSums, in double.
struct QuantizerSums {
  double above = 0;
  double below = 0;
  double rounding = 0;
};

/// Gradients of the learned tensors, in double, by element; empty: none.
struct QuantizerGradients {
  std::vector<double> scale;
  std::vector<double> state;
};

/// How one estimator works. Functions that are null do nothing.
struct EstimatorRow {
  std::string_view name;
  /// True when the scale comes from the very value that is quantized, in training.
  bool (*looks_first)(const QuantizerTensors& tensors) = nullptr;
  /// Takes in the extremes of a value (one a scale).
  void (*observe)(const QuantizerSettings& settings, std::span<const simd::Extremes> extremes,
                  QuantizerTensors& tensors) = nullptr;
  /// Brings tensors that are derived from learned ones up to date.
  void (*derive)(const QuantizerSettings& settings, QuantizerTensors& tensors) = nullptr;
  /// Gradients of what is learned. `elements`: how many share a scale (a sample's, for
  /// activations). Formulas stand beside the table.
  QuantizerGradients (*differentiate)(const QuantizerSettings& settings,
                                      const QuantizerTensors& tensors,
                                      std::span<const QuantizerSums> sums,
                                      double elements) = nullptr;
  bool needs_rounding = false;  ///< differentiate reads QuantizerSums::rounding
  /// Evaluation looks at the value too, instead of using the stored scale (weights only).
  bool follows_weight = false;
};

/// One row for each of ops::estimators(), in the same order.
[[nodiscard]] std::span<const EstimatorRow> estimator_rows();

/// qmax - zero_point, at least 1: codes from zero to the upper end.
[[nodiscard]] float span_of(const QuantizerSettings& settings, float zero_point);
/// Largest magnitude that the quantizer must hold; values below zero do not count when the zero
/// point is qmin. Not finite: something in the value was not.
[[nodiscard]] float magnitude_of(const QuantizerSettings& settings, const simd::Extremes& extremes,
                                 float zero_point);
/// magnitude / span as float32; 1 when that is zero, subnormal or not finite.
[[nodiscard]] float scale_of(float magnitude, float span);

}  // namespace espalier::exec
