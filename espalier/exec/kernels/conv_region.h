#pragma once

#include <functional>
#include <optional>
#include <string>

#include "espalier/exec/kernel.h"

namespace espalier::exec {

/// An activation that a convolution can apply to its result.
struct Activation {
  std::string name;             ///< oneDNN's, as libtorch spells it
  std::vector<double> scalars;  ///< its parameters
  std::string algorithm;        ///< for gelu: "none" or "tanh"
  std::function<void(Tensor&)> apply_in_place;
};

/// The activation of a node, when a convolution can apply it.
[[nodiscard]] std::optional<Activation> activation_of(const KernelRequest& request);

/// The nodes of a region, as their kernels would be made.
struct ConvRegionRequest {
  KernelRequest conv;                       ///< weight and bias are constants
  std::optional<KernelRequest> batch_norm;  ///< folded into weight and bias
  bool add = false;                         ///< input 1 of the call is added
  std::optional<Activation> activation;
};

/// One kernel for convolution, BatchNormalization, addition and activation. On the CPU in float32
/// with channels last: oneDNN with a prepacked weight; elsewhere: convolution and in-place steps.
/// No gradients.
[[nodiscard]] Kernel make_conv_region(const ConvRegionRequest& request);

}  // namespace espalier::exec
