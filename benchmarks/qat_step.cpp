// qat_step_<net>_<quantizer>: median step of quantization-aware training / of float training of the
// same network in our executor; qat_memory_<...>: peak resident memory of the two. Each side in
// processes of its own, which alternate.
#include <array>

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "benchmarks/image_pool.h"
#include "benchmarks/quantized_net.h"
#include "benchmarks/suite.h"
#include "benchmarks/training_step.h"
#include "espalier/base/error.h"
#include "espalier/deploy/latency.h"
#include "espalier/passes/insert_training_quantizers.h"
#include "espalier/passes/pipelines.h"
#include "espalier/quant/planner.h"
#include "espalier/quant/quantizer_name.h"
#include "espalier/tensor/caching_allocator.h"
#include "espalier/zoo/table.h"

namespace espalier::benchmarks {
namespace {

constexpr double kStepTarget = 1.05;
constexpr double kMemoryTarget = 0.90;
constexpr std::int64_t kClasses = 10;
constexpr std::array<std::string_view, 3> kQuantizers = {"moving_average_abs_max", "pact", "lsq"};
constexpr std::string_view kFloat = "float";

ir::Graph qat_graph(const ir::Graph& graph, const Tensor& images, std::string_view quantizer) {
  const ir::Graph prepared = prepare_net(graph);
  const quant::PlanOptions options{.target = "x86", .method = "min_max"};
  const auto statistics =
      quant::collect(prepared, quant::values_to_observe(prepared, options),
                     cycle_images(images, images.size(0), images.size(0)),
                     {.samples = static_cast<std::size_t>(images.size(0)), .micro_batch = 8});
  const quant::QuantPlan plan = quant::make_plan(prepared, statistics, options);
  const auto choice = [](std::string_view name, quant::QuantizerRole role) {
    const quant::QuantizerName& row = quant::find_quantizer(name, role);
    return passes::EstimatorChoice{.estimator = std::string(row.estimator),
                                   .per_channel = row.per_channel};
  };
  const bool learned = quantizer == "lsq";
  ir::Graph training = graph.clone();
  passes::run(training, passes::prepare_for_training());
  passes::run(training,
              {passes::insert_training_quantizers(
                  plan, {.weights = choice(learned ? "lsq" : "channel_wise_abs_max",
                                           quant::QuantizerRole::Weight),
                         .activations = choice(quantizer, quant::QuantizerRole::Activation)})});
  return training;
}

std::vector<Row> measure(const TrainingShape& shape, std::string_view quantizer,
                         const SuiteOptions& options) {
  const std::string name = fmt::format("{}_{}", label(shape), quantizer);
  const auto command = [&](std::string_view kind) {
    std::vector<std::string> arguments = to_arguments(shape);
    arguments.emplace_back(kind);
    arguments.push_back(fmt::to_string(options.threads));
    arguments.push_back(options.quick ? "6" : fmt::to_string(shape.steps));
    return child_command("qat_step", arguments);
  };
  deploy::LatencySummary qat{.name = "QAT"};
  deploy::LatencySummary plain{.name = "float"};
  Numbers qat_numbers;
  Numbers plain_numbers;
  for (int round = 0; round < (options.quick ? 1 : 5); ++round) {
    qat_numbers = run_child(command(quantizer));
    plain_numbers = run_child(command(kFloat));
    qat.samples_ms.push_back(qat_numbers["median_ms"]);
    plain.samples_ms.push_back(plain_numbers["median_ms"]);
  }
  const deploy::LatencyRatio ratio = deploy::paired_ratio(qat, plain);
  const std::string detail =
      fmt::format("{} threads: {:.1f} ms / {:.1f} ms, rounds {:.2f} to {:.2f}", options.threads,
                  qat.samples_ms.back(), plain.samples_ms.back(), ratio.low, ratio.high);
  return {
      {.name = "qat_step_" + name, .value = ratio.ratio, .target = kStepTarget, .detail = detail},
      {.name = "qat_memory_" + name,
       .value = qat_numbers["peak_mib"] / plain_numbers["peak_mib"],
       .target = kMemoryTarget,
       .detail = fmt::format("{:.0f} MiB / {:.0f} MiB, tensors in use at once {:.0f} / {:.0f}",
                             qat_numbers["peak_mib"], plain_numbers["peak_mib"],
                             qat_numbers["tensor_mib"], plain_numbers["tensor_mib"])}};
}

}  // namespace

Numbers qat_step_child(std::span<const std::string> arguments) {
  const TrainingShape shape = shape_from(arguments);
  at::set_num_threads(std::stoi(arguments[4]));
  const ir::Graph graph =
      zoo::build(shape.net, {.classes = kClasses, .image_size = shape.image_size, .seed = 1});
  const bool plain = arguments[3] == kFloat;
  TrainingStep step(
      plain ? graph.clone()
            : qat_graph(graph, make_images(8, shape.image_size, /*seed=*/2), arguments[3]));
  const data::Batch batch = make_batch(shape.batch, shape.image_size, kClasses);
  tensor::release_cached();  // as trainings do with what their calibration left
  const std::vector<deploy::LatencySubject> subjects = {
      {.name = "step", .run = [&] { step.run(batch); }}};
  const auto times = deploy::measure_interleaved(
      subjects, {.rounds = std::stoi(arguments[5]), .warm_up = 5, .min_sample_ms = 0});
  return {{"median_ms", times[0].median_ms}, {"p90_ms", times[0].p90_ms}};
}

std::vector<Row> measure_qat_step(const SuiteOptions& options) {
  std::vector<Row> rows;
  for (const TrainingShape& shape : kTrainingShapes) {
    for (const std::string_view quantizer : kQuantizers) {
      try {
        for (Row& row : measure(shape, quantizer, options)) rows.push_back(std::move(row));
      } catch (const base::UserError& error) {
        rows.push_back({.name = fmt::format("qat_step_{}_{}", label(shape), quantizer),
                        .target = kStepTarget,
                        .failure = error.what()});
      }
    }
  }
  return rows;
}

}  // namespace espalier::benchmarks
