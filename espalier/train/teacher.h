#pragma once

#include <memory>
#include <string>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/train/distillation.h"
#include "espalier/train/loss.h"

namespace espalier::train {

/// A network that others learn from: run without gradients, with the behaviour of evaluation, once
/// a batch however many terms ask. Not thread-safe.
class Teacher {
 public:
  /// What it says to a batch.
  struct Answer {
    Tensor output;             ///< its first output, as class scores (class_logits)
    exec::TensorMap features;  ///< by value name
  };

  /// `features`: values of the graph that terms will ask for. Throws UserError for unknown names.
  Teacher(const ir::Graph& graph, const std::vector<std::string>& features);

  [[nodiscard]] const Answer& answer(const data::Batch& batch);

 private:
  exec::Program program_;
  bool probabilities_;  ///< it ends with a Softmax
  Tensor images_;       ///< of the answer; held, so that no other batch has its memory
  Answer answer_;
};

/// A value of the student, which is one of its program's outputs, and the teacher's it should be.
struct FeaturePair {
  std::size_t student_output = 0;
  std::string teacher;
};

/// @name Terms that make a student like its teacher
/// A LossTerm may share its teacher with others; its life ends with the last of them. Neither reads
/// labels. `probabilities`: the student's first output is a Softmax over its classes. Throw
/// UserError for temperatures that are not above 0.
/// @{
[[nodiscard]] LossTerm distil_divergence(std::shared_ptr<Teacher> teacher, double temperature,
                                         bool probabilities = false);
[[nodiscard]] LossTerm distil_soft_label(std::shared_ptr<Teacher> teacher,
                                         const SoftLabelTemperatures& temperatures,
                                         bool probabilities = false);
[[nodiscard]] LossTerm distil_feature(std::shared_ptr<Teacher> teacher, const FeaturePair& pair);
[[nodiscard]] LossTerm distil_flow(std::shared_ptr<Teacher> teacher, const FeaturePair& first,
                                   const FeaturePair& second);
/// @}

}  // namespace espalier::train
