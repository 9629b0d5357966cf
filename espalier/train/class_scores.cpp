#include "espalier/train/class_scores.h"

#include <limits>

namespace espalier::train {

Tensor class_scores(const Tensor& output) {
  if (output.dim() <= 2) return output;
  for (std::int64_t axis = 2; axis < output.dim(); ++axis) {
    if (output.size(axis) != 1) return output;
  }
  return output.flatten(1);
}

bool gives_probabilities(const ir::Graph& graph) {
  const ir::Value* output = graph.outputs().empty() ? nullptr : graph.outputs().front();
  const ir::Node* node = output == nullptr ? nullptr : output->producer();
  if (node == nullptr || !node->is("Softmax")) return false;
  const std::int64_t axis = node->get_int("axis", -1);
  const auto& shape = output->type().shape;
  return axis == 1 || (axis == -1 && shape && shape->size() == 2);
}

Tensor class_logits(const Tensor& output, bool probabilities) {
  const Tensor scores = class_scores(output);
  if (!probabilities) return scores;
  return scores.clamp_min(std::numeric_limits<float>::min()).log();
}

}  // namespace espalier::train
