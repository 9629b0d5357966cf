#include "benchmarks/training_step.h"

#include <ATen/ops/arange.h>
#include <fmt/format.h>

#include "benchmarks/image_pool.h"
#include "espalier/train/parameter_groups.h"

namespace espalier::benchmarks {
namespace {

std::unique_ptr<train::Optimizer> make_sgd(const ir::Graph& graph, const exec::Program& program) {
  constexpr double kWeightDecay = 1e-4;
  std::vector<std::string> names;
  for (const auto& [name, tensor] : program.parameters()) names.push_back(name);
  return train::make_optimizer(
      train::SgdOptions{}, program.parameters(),
      train::group_parameters(graph, names, {.weight_decay = kWeightDecay}));
}

}  // namespace

std::string label(const TrainingShape& shape) {
  return fmt::format("{}_{}x{}", shape.net, shape.batch, shape.image_size);
}

std::vector<std::string> to_arguments(const TrainingShape& shape) {
  return {std::string(shape.net), fmt::to_string(shape.batch), fmt::to_string(shape.image_size)};
}

TrainingShape shape_from(std::span<const std::string> arguments) {
  return {.net = arguments[0],
          .batch = std::stoll(arguments[1]),
          .image_size = std::stoll(arguments[2]),
          .steps = 0};
}

TrainingStep::TrainingStep(const ir::Graph& graph)
    : program_(exec::Program::compile(graph, {.mode = exec::Mode::Training})),
      loss_(train::cross_entropy()),
      optimizer_(make_sgd(graph, program_)) {}

void TrainingStep::run(const data::Batch& batch) {
  constexpr double kRate = 0.01;
  const std::vector<Tensor> outputs = program_.run(std::vector<Tensor>{batch.images});
  const Tensor loss = loss_.function(outputs, batch);
  optimizer_->clear_gradients();
  loss.backward();
  optimizer_->step(kRate);
}

data::Batch make_batch(std::int64_t count, std::int64_t size, std::int64_t classes) {
  data::Batch batch;
  batch.images = make_images(count, size, /*seed=*/3);
  batch.labels = at::arange(count, at::TensorOptions().dtype(at::kLong)).remainder(classes);
  return batch;
}

}  // namespace espalier::benchmarks
