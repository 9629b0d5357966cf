// float_step_<net>: median training step of our executor / of the same network written with
// torch::nn on stock libtorch (channels-last, its fastest layout here). Each side in processes of
// its own, which alternate: one process that does both would share a heap that hides page faults.
#include <array>

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
constexpr std::array<std::string_view, 2> kNets = {"MobileNetV1", "ResNet20"};

Row measure(std::string_view net, const SuiteOptions& options) {
  const std::vector<std::string> arguments = {std::string(net), fmt::to_string(options.threads),
                                              options.quick ? "6" : "40"};
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
  return {.name = fmt::format("float_step_{}", net),
          .value = ratio.ratio,
          .target = kTarget,
          .detail = fmt::format(
              "batch 64, 3x32x32, {} threads: {:.1f} ms / {:.1f} ms, rounds {:.2f} to {:.2f}; "
              "peak {:.0f} MiB / {:.0f} MiB",
              options.threads, ours.samples_ms.back(), theirs.samples_ms.back(), ratio.low,
              ratio.high, our_peak, their_peak)};
}

}  // namespace

Numbers float_step_child(std::span<const std::string> arguments) {
  constexpr std::int64_t kBatch = 64;
  constexpr std::int64_t kImageSize = 32;
  constexpr std::int64_t kClasses = 10;
  at::set_num_threads(std::stoi(arguments[1]));
  const ir::Graph graph =
      zoo::build(arguments[0], {.classes = kClasses, .image_size = kImageSize, .seed = 1});
  TrainingStep step(graph);
  const data::Batch batch = make_batch(kBatch, kImageSize, kClasses);
  const std::vector<deploy::LatencySubject> subjects = {
      {.name = "step", .run = [&] { step.run(batch); }}};
  const auto times = deploy::measure_interleaved(
      subjects, {.rounds = std::stoi(arguments[2]), .warm_up = 5, .min_sample_ms = 0});
  return {{"median_ms", times[0].median_ms}, {"p90_ms", times[0].p90_ms}};
}

std::vector<Row> measure_float_step(const SuiteOptions& options) {
  std::vector<Row> rows;
  for (const std::string_view net : kNets) {
    try {
      rows.push_back(measure(net, options));
    } catch (const base::UserError& error) {
      rows.push_back(
          {.name = fmt::format("float_step_{}", net), .target = kTarget, .failure = error.what()});
    }
  }
  return rows;
}

}  // namespace espalier::benchmarks
