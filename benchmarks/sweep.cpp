// sweep_exact: time of a whole sensitivity sweep (every channel group at nine ratios) / (points x
// one evaluation of the unpruned network on the same images, in the same executor with the same
// threads). ResNet-20 with seeded random weights; labels are what the network says, so its top-1 is
// 100 %. Early stopping has no row: what it saves depends on how a trained network loses accuracy.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ops/argmax.h>
#include <fmt/format.h>

#include "benchmarks/image_pool.h"
#include "benchmarks/suite.h"
#include "espalier/base/error.h"
#include "espalier/deploy/latency.h"
#include "espalier/exec/program.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/passes/pipelines.h"
#include "espalier/recipe/sensitivity_meter.h"
#include "espalier/tensor/worker_threads.h"
#include "espalier/train/metric.h"
#include "espalier/zoo/table.h"

namespace espalier::benchmarks {
namespace {

constexpr std::int64_t kBatch = 20;

/// A network with its images.
class Sweep {
 public:
  Sweep(std::int64_t images, int threads)
      : graph_(zoo::build("ResNet20", {.classes = 10, .image_size = 32, .seed = 1})),
        threads_(threads) {
    passes::run(graph_, passes::prepare_for_pruning(), {});
    program_.emplace(exec::Program::compile(graph_, {}));
    const Tensor pool = make_images(images, 32, /*seed=*/2);
    for (std::int64_t first = 0; first < images; first += kBatch) {
      const Tensor batch = pool.narrow(0, first, std::min(kBatch, images - first))
                               .contiguous(at::MemoryFormat::ChannelsLast);
      images_.batches.push_back(batch);
      images_.labels.push_back(program_->run(std::vector{batch})[0].argmax(1));
    }
    images_.images = images;
    images_.labelled = images;
    plan_ = recipe::plan_trials(graph_, {});
  }

  [[nodiscard]] double num_points() const {
    return static_cast<double>(plan_.groups.size() * plan_.groups.front().trials.size());
  }

  void evaluate() const {
    tensor::for_each_index(0, images_.batches.size(), threads_, [&](std::size_t batch) {
      (void)program_->run(std::vector{images_.batches[batch]});
    });
  }

  /// Largest difference of top-1 from the naive sweep, which runs the whole cut network, over every
  /// group at one ratio.
  double worst_difference(std::size_t trial) const {
    recipe::SensitivityMeter meter(graph_, images_, plan_.groups, {.threads = threads_});
    double worst = 0;
    for (const recipe::GroupTrials& group : plan_.groups) {
      meter.measure(group, {trial}, [&](const recipe::SensitivityPoint& point) {
        worst = std::max(worst, std::abs(point.metric - naive_top1(group.plans[trial])));
      });
    }
    return worst;
  }

  /// Every point, with the evaluation of the unpruned network.
  void measure() const {
    recipe::SensitivityMeter meter(graph_, images_, plan_.groups, {.threads = threads_});
    for (const recipe::GroupTrials& group : plan_.groups) {
      std::vector<std::size_t> trials(group.trials.size());
      std::iota(trials.begin(), trials.end(), std::size_t{0});
      meter.measure(group, trials, [](const recipe::SensitivityPoint&) {});
    }
  }

 private:
  double naive_top1(const prune::PrunePlan& plan) const {
    ir::Graph cut = graph_.clone();
    passes::cut_channels(cut, plan);
    const exec::Program program = exec::Program::compile(cut, {});
    std::int64_t correct = 0;
    for (std::size_t batch = 0; batch < images_.batches.size(); ++batch) {
      correct += train::count_top_k(program.run(std::vector{images_.batches[batch]})[0],
                                    images_.labels[batch], 1);
    }
    return 100.0 * static_cast<double>(correct) / static_cast<double>(images_.images);
  }

  ir::Graph graph_;
  int threads_;
  recipe::MeasuringImages images_;
  recipe::TrialPlan plan_;
  std::optional<exec::Program> program_;
};

}  // namespace

Numbers sweep_child(std::span<const std::string> arguments) {
  const Sweep sweep(std::stoi(arguments[0]), std::stoi(arguments[1]));
  const std::vector<deploy::LatencySubject> subjects = {
      {.name = "sweep", .run = [&] { sweep.measure(); }},
      {.name = "evaluation", .run = [&] { sweep.evaluate(); }}};
  const auto times = deploy::measure_interleaved(
      subjects, {.rounds = std::stoi(arguments[2]), .warm_up = 1, .max_seconds = 600});
  const deploy::LatencyRatio ratio = deploy::paired_ratio(times[0], times[1]);
  const double points = sweep.num_points();
  return {{"ratio", ratio.ratio / points},
          {"low", ratio.low / points},
          {"high", ratio.high / points},
          {"points", points},
          {"sweep_ms", times[0].median_ms},
          {"evaluation_ms", times[1].median_ms},
          {"difference", sweep.worst_difference(/*trial=*/4)}};
}

std::vector<Row> measure_sweep(const SuiteOptions& options) {
  const std::string images = options.quick ? "200" : "2000";
  const std::string threads = fmt::to_string(options.threads);
  Row row{.name = "sweep_exact", .target = 0.55};
  try {
    Numbers cost = run_child(child_command("sweep", {images, threads, options.quick ? "2" : "3"}));
    row.value = cost["ratio"];
    row.detail = fmt::format(
        "ResNet-20, {} images, {} threads: {:.0f} ms / ({:.0f} points x {:.0f} ms), "
        "rounds {:.2f} to {:.2f}; top-1 of naive sweep at 0.5 within {:.2f} points",
        images, threads, cost["sweep_ms"], cost["points"], cost["evaluation_ms"], cost["low"],
        cost["high"], cost["difference"]);
  } catch (const base::UserError& error) {
    row.failure = error.what();
  }
  return {row};
}

}  // namespace espalier::benchmarks
