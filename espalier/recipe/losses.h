#pragma once

#include <string>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/recipe/recipe.h"
#include "espalier/train/loss.h"

namespace espalier::recipe {

/// Values of a student that the terms of a training look at: the training program has them as
/// outputs behind those of the graph, which stays as it is.
class StudentFeatures {
 public:
  /// What all terms of a stage, those of its strategies included, need of `graph`.
  StudentFeatures(const ir::Graph& graph, const TrainStage& stage);

  /// The training program of a graph that has these values. Throws UserError naming one that it
  /// does not have.
  [[nodiscard]] exec::Program compile(const ir::Graph& graph) const;
  /// Position among the program's outputs of a value that a term asked for.
  [[nodiscard]] std::size_t output(const std::string& name) const;

 private:
  std::vector<std::string> outputs_;  ///< all, in order
  std::vector<std::string> added_;
};

/// The terms of a loss with their teacher, which is loaded once for all of them. `self` is the
/// model as it enters the stage. Terms of one kind get the names "distil_l2", "distil_l2_2" and so
/// on.
[[nodiscard]] std::vector<train::LossTerm> make_losses(const std::vector<LossConfig>& configs,
                                                       const TeacherConfig& teacher,
                                                       const ir::Graph& self,
                                                       const StudentFeatures& features);

}  // namespace espalier::recipe
