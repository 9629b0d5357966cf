#pragma once

#include <functional>
#include <optional>

#include "espalier/data/sample.h"
#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"

namespace espalier::train {

/// The next labelled images; nothing at their end.
using NextLabelled = std::function<std::optional<data::Batch>()>;

/// Mean gradients of some images, by name of the initializer, float64.
using VisitGradients = std::function<void(const exec::TensorMap& gradients)>;

/// Gradients of the cross entropy of outputs[0] by every trainable initializer, of `images_at_once`
/// images after another (fewer at the end of a batch). The network computes as in evaluation:
/// running statistics, no Dropout.
/// Throws UserError when there are no images, when an image has no label, and when a gradient is
/// not finite; Interrupted.
void visit_weight_gradients(const ir::Graph& graph, const NextLabelled& next,
                            std::int64_t images_at_once, const VisitGradients& visit);

/// E[g^2] over the images, g the gradient of one image's loss: the diagonal of the empirical Fisher
/// matrix. Throws as visit_weight_gradients does.
[[nodiscard]] exec::TensorMap mean_squared_gradients(const ir::Graph& graph,
                                                     const NextLabelled& next);

}  // namespace espalier::train
