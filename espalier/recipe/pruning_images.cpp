#include "espalier/recipe/pruning_images.h"

#include <optional>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/interrupt.h"
#include "espalier/data/labels.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/exec/program.h"
#include "espalier/recipe/model_input.h"
#include "espalier/train/class_scores.h"
#include "espalier/train/metric.h"
#include "espalier/train/weight_gradients.h"

namespace espalier::recipe {
namespace {

/// Batches of a training: normalizations are re-estimated as they were trained.
constexpr std::int64_t kBatch = 128;

/// Few, so that there are many squares to take the mean of.
constexpr std::int64_t kImagesOfAChange = 8;

}  // namespace

PruningImages::PruningImages(const ir::Graph& graph, const DataSplits& splits,
                             const CalibrationConfig& calibration, std::int64_t judging_samples)
    : data_(open_quantization_data(splits, calibration, judging_samples)) {
  static_cast<void>(image_input(graph));
  const std::optional<std::int64_t> fixed = deploy::fixed_batch(graph);
  const auto next = labelled_calibration_source(data_, fixed.value_or(kBatch));
  while (std::optional<data::Batch> batch = next()) {
    base::stop_if_interrupted();
    if (batches_.empty()) check_images(graph, batch->images, splits.source);
    batches_.push_back(std::move(*batch));
  }
  const auto is_short = [&](const data::Batch& batch) {
    return batch.images.size(0) < fixed.value_or(batches_.front().images.size(0));
  };
  if (!batches_.empty() && is_short(batches_.back()) && (batches_.size() > 1 || fixed)) {
    batches_.pop_back();
  }
  if (batches_.empty()) {
    throw base::UserError({.what = "too few images to prune with",
                           .where = splits.source,
                           .got = data_.description,
                           .expected = "at least one whole batch"});
  }
}

std::vector<std::vector<Tensor>> PruningImages::inputs() const {
  std::vector<std::vector<Tensor>> inputs;
  for (const data::Batch& batch : batches_) inputs.push_back({batch.images});
  return inputs;
}

std::vector<std::vector<Tensor>> PruningImages::training_inputs() const {
  if (data_.training_transforms == data_.transforms) return inputs();
  std::vector<std::vector<Tensor>> inputs;
  const auto next = training_source(data_, batches_.front().images.size(0));
  while (inputs.size() < batches_.size()) {
    base::stop_if_interrupted();
    const std::optional<data::Batch> batch = next();
    if (!batch) break;
    // What training crops to another size, the model may not take.
    if (batch->images.sizes() != batches_[inputs.size()].images.sizes()) return this->inputs();
    inputs.push_back({batch->images});
  }
  return inputs;
}

std::int64_t PruningImages::count() const {
  std::int64_t count = 0;
  for (const data::Batch& batch : batches_) count += batch.images.size(0);
  return count;
}

std::map<std::string, double> PruningImages::accuracy(const ir::Graph& graph) const {
  const auto program = exec::Program::compile(graph, {});
  const std::optional<std::int64_t> fixed = deploy::fixed_batch(graph);
  const deploy::RunModel run = [&](std::span<const Tensor> inputs) { return program.run(inputs); };
  std::map<std::string, double> metrics;
  std::map<std::string, std::int64_t> hits;
  std::int64_t labelled = 0;
  const deploy::NextBatch next = judging_source(data_, fixed.value_or(kBatch))();
  while (const std::optional<data::Batch> batch = next()) {
    base::stop_if_interrupted();
    const std::vector<Tensor> inputs{batch->images};
    const Tensor scores = train::class_scores(deploy::run_batched(run, inputs, fixed).at(0));
    if (scores.dim() != 2 || scores.size(1) < 2) return {};
    data::check_labels(*batch, scores.size(1));
    labelled += train::count_labelled(batch->labels);
    for (const int k : {1, 5}) {
      if (k >= scores.size(1)) continue;
      hits[train::TopK{.k = k}.name()] += train::count_top_k(scores, batch->labels, k);
    }
  }
  if (labelled == 0) return {};
  for (const auto& [name, count] : hits) {
    metrics[name] = 100.0 * static_cast<double>(count) / static_cast<double>(labelled);
  }
  return metrics;
}

bool needs_gradients(prune::Evidence evidence) {
  return evidence == prune::Evidence::Changes || evidence == prune::Evidence::SquaredGradients;
}

void add_evidence(prune::ScoreOptions& options, const ir::Graph& graph,
                  const std::vector<data::Batch>& batches) {
  const prune::Evidence evidence = prune::find_criterion(options.criterion).evidence;
  if (!needs_gradients(evidence)) return;
  const std::int64_t fixed = deploy::fixed_batch(graph).value_or(1);
  if (evidence == prune::Evidence::SquaredGradients && fixed != 1) {
    throw base::UnsupportedError(
        {.what = "criterion 'fisher' needs the gradients of single images",
         .got = fmt::format("a model that fixes a batch of {}", fixed),
         .expected = "a free batch dimension",
         .hint = "export the model with a dynamic batch, or choose criterion 'taylor'"});
  }
  std::size_t position = 0;
  const train::NextLabelled next = [&]() -> std::optional<data::Batch> {
    if (position == batches.size()) return std::nullopt;
    return batches[position++];
  };
  if (evidence == prune::Evidence::SquaredGradients) {
    options.squared_gradients = train::mean_squared_gradients(graph, next);
    return;
  }
  const prune::ChannelMap map(graph);
  prune::FilterChangeCollector collector(map);
  train::visit_weight_gradients(
      graph, next, deploy::fixed_batch(graph).value_or(kImagesOfAChange),
      [&](const exec::TensorMap& gradients) { collector.add(gradients); });
  options.changes = collector.take();
}

}  // namespace espalier::recipe
