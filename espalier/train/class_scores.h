#pragma once

#include "espalier/ir/graph.h"
#include "espalier/tensor/tensor.h"

namespace espalier::train {

/// The output of a classifier as [batch, classes]: an output [batch, classes, 1, ...], of a network
/// that ends in pooling or a convolution, loses its dimensions of size 1. Any other comes back as
/// it is.
[[nodiscard]] Tensor class_scores(const Tensor& output);

/// True when the graph's first output is a Softmax over its classes (axis 1), as many exports end.
[[nodiscard]] bool gives_probabilities(const ir::Graph& graph);

/// Class scores whose softmax are the classes' probabilities: of probabilities their logarithms,
/// else the scores.
[[nodiscard]] Tensor class_logits(const Tensor& output, bool probabilities);

}  // namespace espalier::train
