#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/quant/calibrate.h"
#include "espalier/quant/plan.h"
#include "espalier/quant/range_method.h"

namespace espalier::quant {

/// Error that a plan causes, smaller is better: e.g. the distance between the outputs of the
/// simulated and the float graph on held-out calibration samples.
using PlanError = std::function<double(const QuantPlan& plan)>;

/// Bits of the layers whose node name or operator type matches a glob.
struct BitsRule {
  std::string pattern;
  std::optional<int> weights = std::nullopt;      ///< 2..16; none: as elsewhere
  std::optional<int> activations = std::nullopt;  ///< of what the layer reads
};

[[nodiscard]] bool applies_to(const BitsRule& rule, const ir::Node& node);

struct PlanOptions {
  std::string target = "x86";
  /// Range method of activations, or "auto": per tensor the method that causes the least error.
  std::string method = "auto";
  double hist_percent = 0.9999;
  double percentile = 99.999;
  /// "abs_max" or "mse". At 8 bits clipping large weights costs more in the outputs than the finer
  /// steps gain, although it lowers the weights' own error; below 8 bits "mse" is better.
  std::string weight_method = "abs_max";
  std::optional<bool> symmetric = std::nullopt;    ///< activations; none: as the target says
  std::optional<bool> per_channel = std::nullopt;  ///< weights; none: as the target says
  int activation_bits = 8;
  int weight_bits = 8;
  /// The first match decides. A value that several layers read gets the most bits that one of them
  /// asks for. Throws UserError for one that matches no quantized layer.
  std::vector<BitsRule> bits = {};
  bool reduce_range = false;  ///< 7-bit weights, for CPUs whose u8 x s8 products saturate
  /// Globs on node names or operator types whose nodes stay in floating point.
  std::vector<std::string> skip = {};
  bool quantize_first = true;  ///< layers with weights that read a graph input
  bool quantize_last = true;   ///< layers with weights whose result is a graph output
  /// Measures whole plans, for the two choices below; without it they are not made.
  PlanError error = {};
  /// With "auto": choose the range methods by `error`, tensor by tensor in graph order, instead of
  /// by the error on the tensor's histogram. One measurement a tensor and distinct range.
  bool tune_ranges = false;
  /// Share of all multiply-accumulates that may stay in floating point: first and last layers do
  /// where that lowers `error` by more than 3 %, and with a last layer operators without weights in
  /// front of it (sparing.h). (Images quantize badly: one scale for
  /// colour channels that were normalized apart.)
  double float_mac_share = 0.015;
};

/// Throws UserError for unknown names and numbers out of range, before there is a graph.
void check_options(const PlanOptions& options);

/// The finest codes that the options ask for, of any tensor.
[[nodiscard]] int most_bits(const PlanOptions& options);

/// Throws UserError for a skip pattern or a rule for bits that matches nothing: before statistics
/// are collected, or the graph is trained. Throws what refuse_empty does where the patterns leave
/// nothing to quantize. `prepared`: as below.
void check_layer_rules(const ir::Graph& prepared, const PlanOptions& options);

/// Throws UnsupportedError: of the model, nothing can be quantized, with the first reasons.
[[noreturn]] void refuse_empty(const std::string& model, const std::vector<FloatNode>& reasons);

/// Values whose bits a rule of `options` chose through one reader while another one, which no rule
/// names, reads them too: a line each. `prepared` is the graph of the plan.
[[nodiscard]] std::vector<std::string> describe_shared_bits(const ir::Graph& prepared,
                                                            const QuantPlan& plan,
                                                            const PlanOptions& options);

/// Values whose statistics make_plan needs. `prepared`: BatchNormalization folded,
/// constants folded, Identity and Dropout removed.
[[nodiscard]] std::vector<std::string> values_to_observe(const ir::Graph& prepared,
                                                         const PlanOptions& options);

/// Decides what is quantized and how. A pure function of its arguments.
/// Throws UserError for an unknown target, method or skip pattern that matches nothing, for
/// statistics of another model or without a needed value, and for weights with NaN (named).
[[nodiscard]] QuantPlan make_plan(const ir::Graph& prepared, const Statistics& statistics,
                                  const PlanOptions& options);

}  // namespace espalier::quant
