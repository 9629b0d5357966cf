#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/tensor/quantize.h"

namespace espalier::quant {

/// What a target does with an operator.
enum class Treatment {
  Weighted,       ///< activation times constant weight: both quantized, the bias int32 or float
  Quantized,      ///< every floating input is read quantized
  SkipQuantized,  ///< two inputs: only the one that is not fused with its producer is read
                  ///< quantized
  FusedSum,       ///< as SkipQuantized, and as Quantized where no addend is fused
  SharedScale,    ///< every input is read quantized, with the parameters that the output also has
  PassThrough,    ///< moves or selects elements: the output has the parameters of its input
  Activation,     ///< merges into the operator before it: the quantizer goes behind it. A Mul of x
                  ///< and a merging gate of x (SiLU) merges with its gate
  Float           ///< stays in floating point
};

/// When a rule holds; where it does not, the node stays in floating point.
enum class Condition {
  Always,
  PassesValues,  ///< every output element is an input element, or zero (ops::passes_values)
  PlainGemm,     ///< alpha = beta = 1, transA = 0
  InnerValue,    ///< the result, behind merged activations, is not a graph output
  Image,         ///< a layer whose weight has not just one spatial axis
  WeightBehind   ///< a product whose weight is its second factor
};

/// One row: how a target treats an operator.
struct OpRule {
  std::string_view op;
  Treatment treatment = Treatment::Float;
  /// The engine computes in integers only when the output is quantized too.
  bool quantized_output = false;
  Condition condition = Condition::Always;
  std::string_view reason = {};  ///< why Float, or why float where the condition is not met
  bool one_scale = false;        ///< a layer's weight has one scale, unless the user says otherwise
};

/// Number formats of a target.
struct Formats {
  tensor::QuantGrid activations;
  bool symmetric_activations = false;
  tensor::QuantGrid weights;
  tensor::QuantGrid reduced_weights;  ///< for CPUs whose u8 x s8 products saturate (no VNNI)
  bool per_channel_weights = true;
  bool quantized_bias = true;  ///< int32 with scale s_x * s_w; else the bias stays float
  /// A layer with an activation merged behind it runs in integers only when the result is quantized
  /// too, also where the layer alone may deliver float.
  bool quantized_activation = false;
  /// A merged ReLU or Clip disappears only when the quantizer's range lies inside its range.
  bool range_inside_activation = true;
};

/// A deployment target: a table, with derivation "as `base`, except".
struct Target {
  std::string_view name;
  std::string_view summary;
  std::string_view base = {};
  std::optional<Formats> formats = std::nullopt;  ///< none: the base's
  std::span<const OpRule> rules = {};
  /// Engines of ours (deploy) that run its files in integers; in others a file is only compared.
  std::span<const std::string_view> engines = {};
};

/// All targets: x86, onnxruntime, openvino, tensorrt, generic.
[[nodiscard]] std::span<const Target> targets();
[[nodiscard]] std::vector<std::string> target_names();
/// Throws UserError with a suggestion for an unknown name.
[[nodiscard]] const Target& find_target(std::string_view name);

/// Formats of the target or of the nearest base that has some.
[[nodiscard]] const Formats& formats(const Target& target);
/// The rule of the operator (ONNX's own domain) in the target or its bases; null when there is
/// none.
[[nodiscard]] const OpRule* find_rule(const Target& target, std::string_view op);

}  // namespace espalier::quant
