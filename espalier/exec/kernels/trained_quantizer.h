#pragma once

#include "espalier/exec/kernels/quantizer_step.h"

namespace espalier::exec {

/// A quantized value and, where they were asked for, its codes less qmin (uint8, same layout).
struct Quantized {
  Tensor value;
  Tensor codes;
  Tensor form;    ///< of the codes or the source, as forms_tensor has it
  Tensor source;  ///< the input, where requantize_weight is to compute the value again
};

/// How train_quantize goes about it.
struct QuantizeOptions {
  bool want_codes = false;
  bool want_source = false;  ///< for weights with one scale or one for each element of axis 0
  /// Quantizes max(input, 0), and differentiates that: a Relu in front without a tensor of its own.
  /// For one scale, in float32 and bfloat16 on the CPU.
  bool rectify = false;
  bool overwrite = false;  ///< may_overwrite(input), asked before anybody else held the tensor
};

/// Quantizes in training: computes tensor::fake_quantize (but NaN stays NaN), lets the estimator
/// observe, and is differentiable in the input (straight through inside of the codes, zero outside;
/// Bengio et al., arXiv:1308.3432) and in what the estimator learns. float32 and bfloat16 on the
/// CPU, and on GPUs where the module of CUDA kernels is (cuda/module.h), in fused loops whose bits
/// depend on neither device, instruction set nor threads; all else in operators of libtorch. Kept
/// for backward: nothing for weights whose scale follows them; bit masks; or the input itself where
/// the rounding error is needed. Codes, which are given only while gradients are recorded, exist
/// for quantizers of at most 8 bits with one scale, in float32 on the CPU.
[[nodiscard]] Quantized train_quantize(const Tensor& input, QuantizerStep step,
                                       const QuantizeOptions& options = {});

/// True when train_quantize can give codes.
[[nodiscard]] bool has_byte_codes(const QuantizerSettings& settings, std::int64_t num_scales);

/// True when train_quantize can give a source.
[[nodiscard]] bool has_weight_forms(const QuantizerSettings& settings);

/// The value of train_quantize once more, bit for bit, from its source and form.
[[nodiscard]] Tensor requantize_weight(const Tensor& source, const Tensor& forms);

/// How many elements share the gradient of a scale: all of them for weights, those of one sample
/// for activations (Esser et al., section 2.2).
[[nodiscard]] double elements_per_scale(const QuantizerSettings& settings, const Tensor& input,
                                        std::int64_t num_scales);

}  // namespace espalier::exec
