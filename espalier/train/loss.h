#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "espalier/data/sample.h"
#include "espalier/tensor/tensor.h"

namespace espalier::train {

/// A differentiable scalar from the program's outputs and the batch that made them.
using LossFunction =
    std::function<Tensor(std::span<const Tensor> outputs, const data::Batch& batch)>;

/// One term of the training loss: weight * function. Terms of several networks or outputs add up.
struct LossTerm {
  std::string name;  ///< as logs and metrics write it
  double weight = 1.0;
  LossFunction function;
};

/// Mean cross entropy of outputs[0] [N, classes] and the batch's labels; labels below 0 are left
/// out. With smoothing e the target is (1 - e) at the label plus e / classes everywhere (Szegedy et
/// al., CVPR 2016). Throws UserError for smoothing outside [0, 1), or a label beyond the classes.
/// `probabilities`: outputs[0] has the classes' probabilities (class_scores.h).
[[nodiscard]] LossTerm cross_entropy(double smoothing = 0.0, bool probabilities = false);

/// Mean over the batch of -sum(target * log_softmax(logits)), for targets that are probabilities
/// [N, classes] (distillation, mixed labels).
[[nodiscard]] Tensor soft_cross_entropy(const Tensor& logits, const Tensor& probabilities);

/// Throws UserError naming the sample when a label is not below `classes`.
void check_labels(const data::Batch& batch, std::int64_t classes);

}  // namespace espalier::train
