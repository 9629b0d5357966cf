// float_step_<net>_<batch>x<size>: median training step of our executor / of the same network
// written with torch::nn on stock libtorch (channels-last, its fastest layout here). Each side in
// processes of its own, which alternate: one process that does both would share a heap that hides
// page faults.
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include "benchmarks/suite.h"
#include "benchmarks/training_step.h"
#include "espalier/base/error.h"
#include "espalier/deploy/latency.h"
#include "espalier/zoo/table.h"

namespace espalier::benchmarks {
namespace {

constexpr double kTarget = 0.70;
constexpr std::int64_t kClasses = 10;

Row measure(const TrainingShape& shape, const SuiteOptions& options) {
  std::vector<std::string> arguments = to_arguments(shape);
  arguments.push_back(fmt::to_string(options.threads));
  arguments.push_back(options.quick ? "6" : fmt::to_string(shape.steps));
  std::vector<std::string> reference = {
      (own_program().parent_path() / "espalier_torch_reference").string()};
  reference.insert(reference.end(), arguments.begin(), arguments.end());
  deploy::LatencySummary ours{.name = "espalier"};
  deploy::LatencySummary theirs{.name = "torch::nn"};
  double our_peak = 0;
  double their_peak = 0;
  for (int round = 0; round < (options.quick ? 1 : 5); ++round) {
    Numbers our_numbers = run_child(child_command("float_step", arguments));
    Numbers their_numbers = run_child(reference);
    ours.samples_ms.push_back(our_numbers["median_ms"]);
    theirs.samples_ms.push_back(their_numbers["median_ms"]);
    our_peak = our_numbers["peak_mib"];
    their_peak = their_numbers["peak_mib"];
  }
  const deploy::LatencyRatio ratio = deploy::paired_ratio(ours, theirs);
  return {.name = "float_step_" + label(shape),
          .value = ratio.ratio,
          .target = kTarget,
          .detail = fmt::format("{} threads: {:.1f} ms / {:.1f} ms, rounds {:.2f} to {:.2f}; "
                                "peak {:.0f} MiB / {:.0f} MiB",
                                options.threads, ours.samples_ms.back(), theirs.samples_ms.back(),
                                ratio.low, ratio.high, our_peak, their_peak)};
}

}  // namespace

Numbers float_step_child(std::span<const std::string> arguments) {
  const TrainingShape shape = shape_from(arguments);
  at::set_num_threads(std::stoi(arguments[3]));
  const ir::Graph graph =
      zoo::build(shape.net, {.classes = kClasses, .image_size = shape.image_size, .seed = 1});
  TrainingStep step(graph);
  const data::Batch batch = make_batch(shape.batch, shape.image_size, kClasses);
  const std::vector<deploy::LatencySubject> subjects = {
      {.name = "step", .run = [&] { step.run(batch); }}};
  const auto times = deploy::measure_interleaved(
      subjects, {.rounds = std::stoi(arguments[4]), .warm_up = 5, .min_sample_ms = 0});
  return {{"median_ms", times[0].median_ms}, {"p90_ms", times[0].p90_ms}};
}

std::vector<Row> measure_float_step(const SuiteOptions& options) {
  std::vector<Row> rows;
  for (const TrainingShape& shape : kTrainingShapes) {
    try {
      rows.push_back(measure(shape, options));
    } catch (const base::UserError& error) {
      rows.push_back(
          {.name = "float_step_" + label(shape), .target = kTarget, .failure = error.what()});
    }
  }
  return rows;
}

}  // namespace espalier::benchmarks
