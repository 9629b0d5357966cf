#pragma once

#include <memory>

#include "espalier/data/sample.h"
#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/train/loss.h"
#include "espalier/train/optimizer.h"

namespace espalier::benchmarks {

/// One training step as the training loop does it: forward, cross entropy, backward, SGD with
/// momentum and weight decay.
class TrainingStep {
 public:
  explicit TrainingStep(const ir::Graph& graph);
  void run(const data::Batch& batch);

 private:
  exec::Program program_;
  train::LossTerm loss_;
  std::unique_ptr<train::Optimizer> optimizer_;
};

/// Seeded images and labels.
[[nodiscard]] data::Batch make_batch(std::int64_t count, std::int64_t size, std::int64_t classes);

}  // namespace espalier::benchmarks
