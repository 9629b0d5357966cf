#pragma once

#include <optional>

#include "espalier/exec/kernel.h"

namespace espalier::exec {

/// Inputs of a training region's step. Those that its nodes do not have are left out.
struct RegionPort {
  enum : std::size_t {
    Input,
    Weight,
    Bias,
    Gamma,
    Beta,
    Mean,
    Variance,
    Scale,
    ZeroPoint,
    State,
    Codes,         ///< of the input: kept for backward in its place
    Form,          ///< what the codes mean, as forms_tensor has it
    WeightSource,  ///< what the weight was quantized from: kept for backward in its place
    WeightForms,   ///< and how, as forms_tensor has it
    Count
  };
};

/// Outputs of a training region's step: the value; with codes, also these and their form. The
/// quantizer of a weight gives its source and its forms in their place.
struct RegionOutput {
  enum : std::size_t { Value, Codes, Form, Count };
};

/// The nodes of a training region, as their kernels would be made.
struct TrainingRegionRequest {
  KernelRequest conv;
  std::optional<KernelRequest> batch_norm = {};
  std::optional<KernelRequest> activation = {};  ///< Relu, or Clip with constant bounds
  std::optional<KernelRequest> quantizer = {};   ///< FakeQuantize with one scale
};

/// One differentiable kernel for convolution, BatchNormalization, bounded activation and trainable
/// quantizer, in float32 with channels last on the CPU. Forward reads the convolution's result
/// twice (statistics; everything else) and keeps, beside that result, only the codes of its input
/// where they are given, else the input: what lies between is computed again in backward's two
/// loops, and a quantized weight from its source. Bits depend on neither instruction set nor
/// threads, apart from the convolution itself.
[[nodiscard]] Kernel make_training_region(const TrainingRegionRequest& request);

}  // namespace espalier::exec
