#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "espalier/data/sample.h"
#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/train/loss.h"
#include "espalier/train/optimizer.h"

namespace espalier::benchmarks {

/// What the rows of training steps are measured on.
struct TrainingShape {
  std::string_view net;
  std::int64_t batch;
  std::int64_t image_size;
  int steps;  ///< timed in each process
};
inline constexpr std::array<TrainingShape, 4> kTrainingShapes = {{{"MobileNetV1", 64, 32, 40},
                                                                  {"ResNet20", 64, 32, 40},
                                                                  {"MobileNetV1", 32, 96, 25},
                                                                  {"ResNet50", 16, 96, 12}}};
/// "MobileNetV1_64x32".
[[nodiscard]] std::string label(const TrainingShape& shape);
/// As arguments of a process: net, batch, image size; read by shape_from.
[[nodiscard]] std::vector<std::string> to_arguments(const TrainingShape& shape);
[[nodiscard]] TrainingShape shape_from(std::span<const std::string> arguments);

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
