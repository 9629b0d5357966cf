#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "espalier/exec/kernels/cuda/api.h"
#include "espalier/exec/kernels/estimate.h"
#include "espalier/tensor/tensor.h"

namespace espalier::exec::cuda {

// The loops of trainable quantizers on a module's device, over float32 and bfloat16. They give the
// bits that the loops of the processor give.

/// What a forward pass fills; undefined: not wanted. `inside` and `above` hold one bit an element,
/// and only for one scale.
struct Buffers {
  Tensor output;
  Tensor inside;
  Tensor above;
};

/// Extremes by scale; empty for rows of channels (channels last with a scale each), which have an
/// output always. The input is viewable (memory_view.h). Throws std::runtime_error for an error of
/// the device.
std::vector<simd::Extremes> run_forward(const Module& module, const Tensor& input,
                                        std::span<const simd::QuantizerForm> forms,
                                        Buffers& buffers, std::int64_t axis);

/// What a backward pass works on. Either `input` or the bits of `kept` are given.
struct Gradients {
  const Tensor& output;  ///< gradient of the quantizer's output
  const Tensor& input;   ///< what forward got, or undefined
  const Buffers& kept;
};

/// The input's gradient goes into `result`, which has the gradient's layout.
std::vector<QuantizerSums> run_backward(const Module& module, const Gradients& given,
                                        std::span<const simd::QuantizerForm> forms, Tensor& result,
                                        std::int64_t axis);

}  // namespace espalier::exec::cuda
