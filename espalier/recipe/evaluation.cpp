#include "espalier/recipe/evaluation.h"

#include <chrono>
#include <limits>
#include <memory>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/max.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/interrupt.h"
#include "espalier/base/log.h"
#include "espalier/data/labels.h"
#include "espalier/data/loader.h"
#include "espalier/data/subset.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/deploy/engine.h"
#include "espalier/exec/program.h"
#include "espalier/recipe/model_input.h"
#include "espalier/recipe/model_source.h"
#include "espalier/train/checkpoint.h"
#include "espalier/train/class_scores.h"
#include "espalier/train/model_file.h"

namespace espalier::recipe {
namespace {

data::Loader open_loader(const EvaluationRequest& request) {
  const data::DataConfig& config = request.data.for_judging();
  data::DatasetPtr dataset = data::open_dataset(config.dataset, config.loader.bad_samples);
  if (request.samples > 0) {
    dataset =
        data::random_samples(dataset, static_cast<std::size_t>(request.samples), request.seed);
  }
  return data::Loader(dataset,
                      std::make_shared<const data::TransformChain>(config.dataset.transforms),
                      {.sampler = {.batch_size = request.batch_size}, .loader = config.loader});
}

/// Folders of classes that are not the model's give figures without meaning.
void warn_about_classes(const data::Dataset& dataset, std::int64_t classes) {
  const std::int64_t known = static_cast<std::int64_t>(dataset.class_names().size());
  if (known == 0 || known == classes) return;
  base::log_warning("the data set has {} classes and the model {}: do its labels mean the same?",
                    known, classes);
}

void check_scores(const Tensor& scores, const EvaluationRequest& request) {
  if (scores.dim() == 2 && scores.size(1) > 1) return;
  throw base::UnsupportedError(
      {.what = "cannot evaluate the model '" + request.model.string() + "'",
       .got = fmt::format("an output of shape {}",
                          tensor::to_string(tensor::make_shape(scores.sizes().vec()))),
       .expected = "scores of shape [batch, classes]"});
}

/// The batch size that the file fixes; nothing for files that only the engine can read.
/// How a file wants its images.
struct ImagesOfFile {
  std::optional<std::int64_t> batch;
  at::ScalarType dtype = at::kFloat;  ///< where that is a floating type
};

/// Nothing of it is known where a file can be run by engines alone.
ImagesOfFile images_of_file(const std::filesystem::path& model) {
  ImagesOfFile input;
  try {
    const ir::Graph graph = train::load_model(model);
    input.batch = deploy::fixed_batch(graph);
    const auto declared = graph.inputs().empty()
                              ? std::nullopt
                              : tensor::to_scalar_type(graph.inputs()[0]->type().dtype);
    if (declared && at::isFloatingType(*declared)) input.dtype = *declared;
  } catch (const base::UnsupportedError&) {
    return {};
  }
  return input;
}

void check_first_batch(const EvaluationRequest& request, const Tensor& images) {
  std::optional<ir::Graph> graph;
  try {
    graph = train::load_model(request.model);
  } catch (const base::UnsupportedError&) {
    return;  // Only the engine can read the file: it says itself what does not fit.
  }
  check_images(*graph, images, request.data.source);
}

/// Leaves out the images with scores that are no finite numbers; those where the two disagree on
/// which count as different.
std::pair<Tensor, Tensor> finite_rows(const Tensor& left, const Tensor& right,
                                      Comparison& comparison) {
  const Tensor left_finite = at::isfinite(left);
  const Tensor right_finite = at::isfinite(right);
  const Tensor unlike = (left_finite != right_finite).any(1);
  const auto count = unlike.sum().item<std::int64_t>();
  comparison.different += count;
  if (count > 0) comparison.worst_difference = std::numeric_limits<double>::infinity();
  const Tensor rows = left_finite.all(1).logical_and(right_finite.all(1)).nonzero().flatten();
  return {left.index_select(0, rows), right.index_select(0, rows)};
}

/// Adds what two runners say about one batch.
void compare(const Tensor& first, const Tensor& second, Comparison& comparison) {
  const auto [left, right] = finite_rows(first.to(at::kDouble), second.to(at::kDouble), comparison);
  if (left.numel() == 0) return;
  const double scale = left.abs().max().item<double>();
  comparison.worst_difference =
      std::max(comparison.worst_difference,
               (left - right).abs().max().item<double>() / std::max(scale, 1e-30));
  const Tensor left_class = left.argmax(1);
  const Tensor right_class = right.argmax(1);
  for (std::int64_t row = 0; row < left.size(0); ++row) {
    const auto a = left_class[row].item<std::int64_t>();
    const auto b = right_class[row].item<std::int64_t>();
    if (a == b) continue;
    ++comparison.different;
    const double largest = std::max(left[row].abs().max().item<double>(), 1e-30);
    const double gap = std::max((left[row][a] - left[row][b]).item<double>(),
                                (right[row][b] - right[row][a]).item<double>());
    comparison.widest_tie = std::max(comparison.widest_tie, gap / largest);
  }
}

}  // namespace

Tensor judged_output(const std::vector<Tensor>& outputs) {
  if (outputs.size() > 1) {
    base::log_warning_once(
        fmt::format("the model has {} outputs: classes are those of the first", outputs.size()));
  }
  return outputs.at(0);
}

Runner open_runner(const std::filesystem::path& model, const std::string& engine, int threads) {
  if (engine == "espalier") {
    const ir::Graph graph = train::load_model(model);
    if (const auto weight = find_broken_weight(graph)) {
      // Maxima and clips may hide it in what the model gives.
      base::log_warning_once(
          fmt::format("'{}': {} holds NaN or infinite elements", model.string(), *weight));
    }
    auto program = std::make_shared<exec::Program>(exec::Program::compile(graph, {}));
    const deploy::RunModel run = [program](std::span<const Tensor> inputs) {
      return program->run(inputs);
    };
    return [run, batch = deploy::fixed_batch(graph)](std::span<const Tensor> inputs) {
      return deploy::run_batched(run, inputs, batch);
    };
  }
  std::shared_ptr<deploy::EngineModel> loaded = deploy::load_named(
      deploy::open_engine(engine), model.string(), onnx_bytes(model), {.threads = threads});
  return [loaded, input = images_of_file(model)](std::span<const Tensor> images) {
    std::vector<Tensor> inputs;
    for (const Tensor& image : images) inputs.push_back(image.to(input.dtype));
    std::vector<Tensor> outputs = deploy::run_batched(*loaded, inputs, input.batch);
    for (Tensor& output : outputs) {
      if (output.is_floating_point()) output = output.to(at::kFloat);
    }
    return outputs;
  };
}

EvaluationResult evaluate_model(const EvaluationRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  data::Loader loader = open_loader(request);
  const Runner run = open_runner(request.model, request.engine, request.threads);
  const Runner other = request.compare.empty()
                           ? Runner{}
                           : open_runner(request.model, request.compare, request.threads);
  EvaluationResult result;
  if (other) result.comparison.emplace();
  std::map<std::string, std::int64_t> correct;
  report::Progress progress({.title = "evaluate",
                             .total = loader.samples_per_epoch(),
                             .unit = "images",
                             .style = request.progress});
  loader.start();
  while (const std::optional<data::Batch> batch = loader.next()) {
    base::stop_if_interrupted();
    if (result.images == 0) check_first_batch(request, batch->images);
    const std::vector<Tensor> inputs{batch->images};
    const Tensor scores = train::class_scores(judged_output(run(inputs)));
    check_scores(scores, request);
    data::check_labels(*batch, scores.size(1), &loader.dataset());
    if (result.images == 0) warn_about_classes(loader.dataset(), scores.size(1));
    for (const train::TopK& metric : request.metrics) {
      if (metric.k > scores.size(1)) continue;
      correct[metric.name()] += train::count_top_k(scores, batch->labels, metric.k);
    }
    result.images += scores.size(0);
    result.labelled += batch->labels.ge(0).sum().item<std::int64_t>();
    result.not_finite += at::isfinite(scores).all(1).logical_not().sum().item<std::int64_t>();
    if (other)
      compare(scores, train::class_scores(judged_output(other(inputs))), *result.comparison);
    progress.update(result.images);
  }
  progress.finish();
  result.skipped = loader.statistics().num_skipped;
  if (result.not_finite > 0) {
    base::log_warning("{} of {} images have scores that are NaN or infinite", result.not_finite,
                      result.images);
  }
  if (result.labelled == 0 && !other) {
    throw base::UserError({.what = "nothing to evaluate: the images have no labels",
                           .where = request.data.source,
                           .hint = "use --compare to compare two engines without labels"});
  }
  for (const auto& [name, count] : correct) {
    if (result.labelled == 0) break;
    result.metrics[name] =
        100.0 * static_cast<double>(count) / static_cast<double>(result.labelled);
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

report::Json metrics_json(const std::map<std::string, double>& metrics) {
  report::Json json = report::Json::object();
  for (const auto& [name, value] : metrics) json[name] = value;
  return json;
}

report::Json to_json(const EvaluationResult& result) {
  report::Json json = report::Json::object();
  json["metrics"] = metrics_json(result.metrics);
  json["images"] = result.images;
  json["skipped"] = result.skipped;
  json["labelled"] = result.labelled;
  json["not_finite"] = result.not_finite;
  json["seconds"] = result.seconds;
  if (result.comparison) {
    report::Json comparison = report::Json::object();
    comparison["different"] = result.comparison->different;
    comparison["widest_tie"] = result.comparison->widest_tie;
    comparison["worst_difference"] = result.comparison->worst_difference;
    json["comparison"] = comparison;
  }
  return json;
}

}  // namespace espalier::recipe
