#pragma once

#include "espalier/exec/kernel.h"
#include "espalier/exec/kernels/window.h"

namespace espalier::exec {

/// Attributes of Conv and its integer relatives.
struct ConvSettings {
  Window window;
  std::int64_t group = 1;
};

/// Throws UserError for values that make no sense.
[[nodiscard]] ConvSettings parse_conv(const ir::Node& node);

/// A convolution's input with padding settled: what the window does not do symmetrically has been
/// done to the tensor.
struct PaddedInput {
  Tensor tensor;
  ir::Ints padding;  ///< still to be applied on both sides
  ir::Ints output;   ///< spatial output sizes
};
/// `window` is filled.
[[nodiscard]] PaddedInput settle_padding(const Tensor& input, const Window& window);

/// Throws std::invalid_argument unless the weight fits the attributes.
void check_weight(const Tensor& weight, const ConvSettings& settings);

/// The weight in the layout in which the program convolves.
[[nodiscard]] Tensor lay_out_weight(const Tensor& weight, const CompileOptions& options);

/// Convolution over 1 to 3 spatial dimensions; differentiable. `bias` may be undefined.
[[nodiscard]] Tensor convolve(const Tensor& input, const Tensor& weight, const Tensor& bias,
                              const ConvSettings& settings);

}  // namespace espalier::exec
