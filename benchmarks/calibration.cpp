// calibration_cost: calibration with all range methods and the choice between them / forward passes
// over the same images in the same executor with the same threads. calibration_memory: peak
// resident memory of the two, each in a process of its own.
#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "benchmarks/image_pool.h"
#include "benchmarks/quantized_net.h"
#include "benchmarks/suite.h"
#include "espalier/base/error.h"
#include "espalier/deploy/latency.h"
#include "espalier/quant/planner.h"
#include "espalier/zoo/table.h"

namespace espalier::benchmarks {
namespace {

constexpr std::int64_t kImageSize = 224;
constexpr std::int64_t kPool = 16;
constexpr std::size_t kMicroBatch = 8;

/// One job on a ResNet-50 with seeded random weights.
class Job {
 public:
  Job(std::int64_t images, int threads)
      : prepared_(prepare_net(zoo::build("ResNet50", {.seed = 1}))),
        pool_(make_images(std::min(kPool, images), kImageSize, /*seed=*/2)),
        images_(images),
        threads_(threads) {}

  /// Statistics of every value that the plan needs, then the plan with the best method per tensor.
  void calibrate() const {
    const quant::PlanOptions options{.target = "x86"};
    const auto statistics = collect(quant::values_to_observe(prepared_, options), true);
    (void)quant::make_plan(prepared_, statistics, options);
  }

  /// The same passes with nothing observed but the output.
  void forward() const { (void)collect({prepared_.outputs()[0]->name()}, false); }

 private:
  [[nodiscard]] quant::Statistics collect(const std::vector<std::string>& values,
                                          bool moments) const {
    return quant::collect(prepared_, values, cycle_images(pool_, images_, kMicroBatch),
                          {.samples = static_cast<std::size_t>(images_),
                           .micro_batch = kMicroBatch,
                           .threads = threads_,
                           .channel_moments = moments});
  }

  ir::Graph prepared_;
  Tensor pool_;
  std::int64_t images_;
  int threads_;
};

Row failed(const char* name, double target, const std::string& failure) {
  return {.name = name, .target = target, .failure = failure};
}

}  // namespace

Numbers calibration_cost_child(std::span<const std::string> arguments) {
  const Job job(std::stoi(arguments[0]), std::stoi(arguments[1]));
  const std::vector<deploy::LatencySubject> subjects = {
      {.name = "calibrate", .run = [&] { job.calibrate(); }},
      {.name = "forward", .run = [&] { job.forward(); }}};
  const auto times = deploy::measure_interleaved(
      subjects, {.rounds = std::stoi(arguments[2]), .warm_up = 1, .max_seconds = 600});
  const deploy::LatencyRatio ratio = deploy::paired_ratio(times[0], times[1]);
  return {{"ratio", ratio.ratio},
          {"low", ratio.low},
          {"high", ratio.high},
          {"calibrate_ms", times[0].median_ms},
          {"forward_ms", times[1].median_ms}};
}

Numbers calibration_memory_child(std::span<const std::string> arguments) {
  const Job job(std::stoi(arguments[1]), std::stoi(arguments[2]));
  if (arguments[0] == "calibrate") {
    job.calibrate();
  } else {
    job.forward();
  }
  return {};
}

std::vector<Row> measure_calibration(const SuiteOptions& options) {
  constexpr double kCostTarget = 1.25;
  constexpr double kMemoryTarget = 1.10;
  const std::string images = options.quick ? "16" : "64";
  const std::string threads = fmt::to_string(options.threads);
  std::vector<Row> rows;
  try {
    Numbers cost =
        run_child(child_command("calibration_cost", {images, threads, options.quick ? "2" : "7"}));
    rows.push_back({.name = "calibration_cost",
                    .value = cost["ratio"],
                    .target = kCostTarget,
                    .detail = fmt::format(
                        "ResNet-50, 224x224, {} images, {} threads: {:.0f} ms / {:.0f} ms, 95 % "
                        "{:.2f} to {:.2f}",
                        images, threads, cost["calibrate_ms"], cost["forward_ms"], cost["low"],
                        cost["high"])});
  } catch (const base::UserError& error) {
    rows.push_back(failed("calibration_cost", kCostTarget, error.what()));
  }
  try {
    Numbers calibrate =
        run_child(child_command("calibration_memory", {"calibrate", images, threads}));
    Numbers forward = run_child(child_command("calibration_memory", {"forward", images, threads}));
    rows.push_back({.name = "calibration_memory",
                    .value = calibrate["peak_mib"] / forward["peak_mib"],
                    .target = kMemoryTarget,
                    .detail = fmt::format("peak {:.0f} MiB / {:.0f} MiB", calibrate["peak_mib"],
                                          forward["peak_mib"])});
  } catch (const base::UserError& error) {
    rows.push_back(failed("calibration_memory", kMemoryTarget, error.what()));
  }
  return rows;
}

}  // namespace espalier::benchmarks
