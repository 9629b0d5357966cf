#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "espalier/tensor/quantize.h"

namespace espalier::quant {

/// How an activation tensor is quantized and how that was decided.
struct ActivationPlan {
  tensor::QuantParams params;  ///< per tensor on every shipped target
  /// Range method that won: "min_max", "kl", "mse", ...; after a training, the estimator.
  std::string method;
  double low = 0;  ///< range the parameters represent
  double high = 0;
  /// @name Of the calibration; nothing once a training has moved range and values
  /// @{
  std::optional<double> observed_low = std::nullopt;  ///< exact minimum and maximum of the data
  std::optional<double> observed_high = std::nullopt;
  std::optional<double> sqnr_db = std::nullopt;  ///< signal to quantization noise of the histogram
  std::optional<double> clipped = std::nullopt;  ///< share of values outside [low, high]
  /// @}

  bool operator==(const ActivationPlan&) const = default;
};

/// How a weight initializer is quantized. Every use of the initializer reads the quantized form.
struct WeightPlan {
  tensor::QuantParams params;                    ///< per output channel as a rule
  std::string method = {};                       ///< after a training: the estimator
  std::optional<double> sqnr_db = std::nullopt;  ///< of the calibrated weight, before a training
  int channels_at_limit = 0;  ///< channels whose range was clipped below their maximum
  /// For each element, in row-major order, its code minus the nearest one (-1, 0, 1); empty: every
  /// element is rounded to nearest.
  std::vector<std::int8_t> rounding;

  bool operator==(const WeightPlan&) const = default;
};

/// One edge that gets a quantizer: input `index` of the node. An empty node name means the graph
/// output `index`, which then delivers the quantized form of its value.
struct EdgeKey {
  std::string node;
  std::size_t index = 0;
  auto operator<=>(const EdgeKey&) const = default;
};

/// A node that the plan leaves in floating point, and why.
struct FloatNode {
  std::string node;
  std::string op;
  std::string reason;
  bool asked = false;  ///< an option of the user leaves it out

  bool operator==(const FloatNode&) const = default;
};

/// Everything that quantization after training decided; readable, editable, stored as YAML
/// (docs/formats.md). A pass applies it to the graph it was made for (BatchNorm already folded).
struct QuantPlan {
  int version = 1;
  std::string target;       ///< row of the target table
  std::string model_id;     ///< content id of the graph it was made for
  std::string calibration;  ///< human-readable: samples, seed, micro-batch
  /// Quantized activation values by name. A value is quantized once; every edge of `edges` reads
  /// the quantized form, all other uses read the float value.
  std::map<std::string, ActivationPlan> activations;
  /// Edges (activation inputs of nodes, graph outputs) that read the quantized form of their value.
  std::vector<EdgeKey> edges;
  /// Quantized weight initializers by name (also constant operands of Add and Mul).
  std::map<std::string, WeightPlan> weights;
  /// Nodes whose bias is quantized to int32 with scale s_x * s_w: bias initializer by node name.
  std::map<std::string, std::string> biases;
  /// Corrections added to bias initializers before quantization, by initializer name.
  std::map<std::string, std::vector<float>> bias_corrections;
  std::vector<FloatNode> float_nodes;

  bool operator==(const QuantPlan&) const = default;
};

}  // namespace espalier::quant
