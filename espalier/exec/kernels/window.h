#pragma once

#include <ATen/core/Tensor.h>

#include "espalier/ir/node.h"

namespace espalier::exec {

/// How a sliding window moves, as the attributes of Conv and the pools say. Lists may be empty,
/// which stands for ONNX's defaults.
struct Window {
  enum class AutoPad { NotSet, SameUpper, SameLower, Valid };

  ir::Ints kernel;
  ir::Ints strides;
  ir::Ints dilations;
  ir::Ints pads;  ///< begins, then ends
  AutoPad auto_pad = AutoPad::NotSet;
  bool ceil_mode = false;

  /// Lists filled for `rank` spatial dimensions and a kernel of `sizes` where none is declared.
  /// Throws std::invalid_argument when a list has another length.
  [[nodiscard]] Window filled(at::IntArrayRef sizes) const;
};

/// Reads and checks kernel_shape, strides, dilations, pads, auto_pad, ceil_mode.
/// Throws UserError naming the node for values that make no sense.
[[nodiscard]] Window parse_window(const ir::Node& node);

/// Padding and output size of a filled window over an input of given spatial sizes.
struct WindowPlan {
  ir::Ints begin;   ///< padding before
  ir::Ints end;     ///< padding after, as declared or by auto_pad
  ir::Ints output;  ///< output sizes

  /// Padding after that the last window really touches (ceil mode may reach further than `end`,
  /// floor mode less far); negative when the last inputs are not used.
  ir::Ints reach;
};
/// Throws std::invalid_argument when the window does not fit.
[[nodiscard]] WindowPlan plan_window(const Window& window, at::IntArrayRef spatial);

/// Pads the trailing spatial dimensions with a value; negative padding crops.
[[nodiscard]] at::Tensor pad_spatial(const at::Tensor& input, const ir::Ints& begin,
                                     const ir::Ints& end, const at::Scalar& value);

}  // namespace espalier::exec
