#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "espalier/data/sample.h"
#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/prune/criterion.h"
#include "espalier/prune/scores.h"
#include "espalier/recipe/batches.h"
#include "espalier/recipe/recipe.h"

namespace espalier::recipe {

/// Images that pruning looks at, all in memory, and images that judge it.
class PruningImages {
 public:
  /// Draws the calibration images (open_quantization_data) in batches of at most 128, or of what
  /// the model's file fixes; a last batch that is not full is left out where there are others.
  /// Throws UserError for images that the model cannot take, and when there are too few.
  PruningImages(const ir::Graph& graph, const DataSplits& splits,
                const CalibrationConfig& calibration, std::int64_t judging_samples);

  [[nodiscard]] const std::vector<data::Batch>& batches() const { return batches_; }
  /// Inputs by position for each batch.
  [[nodiscard]] std::vector<std::vector<Tensor>> inputs() const;
  /// The same images as training sees them (training_source), for running statistics; as inputs()
  /// where training takes them in another size.
  [[nodiscard]] std::vector<std::vector<Tensor>> training_inputs() const;
  [[nodiscard]] std::int64_t count() const;
  [[nodiscard]] const std::string& description() const { return data_.description; }

  /// "top1" and "top5" in percent on the judging images; empty where they have no labels or the
  /// model gives no scores [batch, classes].
  [[nodiscard]] std::map<std::string, double> accuracy(const ir::Graph& graph) const;

 private:
  QuantizationData data_;
  std::vector<data::Batch> batches_;
};

/// Whether a criterion looks at images besides the weights.
[[nodiscard]] bool needs_gradients(prune::Evidence evidence);

/// Gives the options what their criterion looks at there; nothing where it does not. Changes are
/// those of the graph's own values, so the scores must be of a map of this very graph. Throws as
/// train::visit_weight_gradients does.
void add_evidence(prune::ScoreOptions& options, const ir::Graph& graph,
                  const std::vector<data::Batch>& batches);

}  // namespace espalier::recipe
