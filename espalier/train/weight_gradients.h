#pragma once

#include <functional>
#include <optional>

#include "espalier/data/sample.h"
#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"

namespace espalier::train {

/// The next labelled images; nothing at their end.
using NextLabelled = std::function<std::optional<data::Batch>()>;

/// What is averaged over the images.
enum class GradientMoment {
  Mean,       ///< E[g], g the gradient of one image's loss
  MeanSquare  ///< E[g^2]: the diagonal of the empirical Fisher matrix; one image a step
};

/// Gradients of the cross entropy of outputs[0] by every trainable initializer, over all images, by
/// name, float64. The network computes as in evaluation: running statistics, no Dropout.
/// Throws UserError when there are no images, when an image has no label, and when a gradient is
/// not finite; Interrupted.
[[nodiscard]] exec::TensorMap weight_gradients(const ir::Graph& graph, const NextLabelled& next,
                                               GradientMoment moment);

}  // namespace espalier::train
