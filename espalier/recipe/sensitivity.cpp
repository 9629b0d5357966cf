#include "espalier/recipe/sensitivity.h"

#include <chrono>
#include <istream>
#include <optional>
#include <ostream>
#include <sstream>

#include <fmt/format.h>

#include "espalier/analysis/model_id.h"
#include "espalier/base/check.h"
#include "espalier/base/log.h"
#include "espalier/passes/pipelines.h"
#include "espalier/prune/criterion.h"
#include "espalier/recipe/csv_line.h"
#include "espalier/recipe/model_input.h"
#include "espalier/recipe/pruning_images.h"
#include "espalier/recipe/sensitivity_workers.h"
#include "espalier/tensor/worker_threads.h"
#include "espalier/train/model_file.h"
#include "espalier/train/reestimate_norms.h"

namespace espalier::recipe {
namespace {

ir::Graph load_graph(const SensitivityRequest& request) {
  ir::Graph graph = train::load_model(request.model);
  static_cast<void>(image_input(graph));
  passes::run(graph, passes::prepare_for_pruning(), {.verify = false});
  if (request.reestimate_bn > 0 && train::count_norms(graph) == 0) {
    throw base::UserError({.what = "cannot re-estimate BatchNormalization",
                           .where = request.model.string(),
                           .got = "a model without any",
                           .hint = "leave --reestimate-bn out"});
  }
  return graph;
}

MeasuringOptions measuring_options(const SensitivityRequest& request) {
  return {.samples = request.samples, .seed = request.seed, .further = request.reestimate_bn};
}

/// Options with what their criterion looks at.
TrialOptions with_gradients(const SensitivityRequest& request, const ir::Graph& graph) {
  TrialOptions options = request.trials;
  const prune::Evidence evidence = prune::find_criterion(options.scores.criterion).evidence;
  if (!needs_gradients(evidence)) return options;
  // One thread, whatever their number: sums in another order would order channels differently.
  const tensor::OneIntraThread one;
  add_evidence(options.scores, graph,
               read_gradient_images(request.data, graph, measuring_options(request)));
  return options;
}

/// Whether a point that has run on some of `images` is what these options would measure.
bool is_settled(const SensitivityPoint& point, std::int64_t images, const MeterOptions& options) {
  if (point.images == images) return true;
  return options.max_loss && (!point.stopped || point.low > *options.max_loss);
}

/// Shows how many points are known.
class PointProgress {
 public:
  PointProgress(const std::vector<OpenTrials>& open, std::size_t known, report::ProgressStyle style)
      : done_(static_cast<std::int64_t>(known)),
        progress_({.title = "sensitivity",
                   .total = done_ + count(open),
                   .unit = "points",
                   .initial = done_,
                   .style = style}) {}

  void add(const SensitivityPoint& point) {
    progress_.update(++done_,
                     fmt::format("{} -{:.0f} %: loss {:.2f}{}", point.group, 100 * point.share(),
                                 point.loss, point.stopped ? " (stopped)" : ""));
  }
  void finish() { progress_.finish(); }

 private:
  static std::int64_t count(const std::vector<OpenTrials>& open) {
    std::int64_t total = 0;
    for (const OpenTrials& group : open) total += static_cast<std::int64_t>(group.trials.size());
    return total;
  }

  std::int64_t done_;
  report::Progress progress_;
};

std::vector<std::string> group_order(const TrialPlan& plan) {
  std::vector<std::string> names;
  for (const GroupTrials& group : plan.groups) names.push_back(group.group);
  return names;
}

}  // namespace

SensitivityJob::SensitivityJob(const SensitivityRequest& request) : request_(request) {
  static_cast<void>(prune::find_criterion(request.trials.scores.criterion));
  graph_ = load_graph(request);
  plan_ = plan_trials(graph_, with_gradients(request, graph_));
}

void SensitivityJob::prepare() {
  meter_ = std::make_unique<SensitivityMeter>(
      graph_, read_measuring_images(request_.data, graph_, measuring_options(request_)),
      plan_.groups, request_.meter);
}

SensitivityHeader SensitivityJob::header() const {
  return {.model = request_.model.stem().string(),
          .model_id = analysis::model_id(graph_),
          .data = meter_->images().description,
          .data_id = meter_->images().id,
          .criterion = request_.trials.scores.criterion,
          .metric = std::string(to_string(request_.meter.metric)),
          .images = meter_->images().images,
          .seed = request_.seed,
          .reestimated = request_.reestimate_bn,
          .baseline = meter_->baseline()};
}

std::vector<OpenTrials> open_trials(const TrialPlan& plan, const SensitivityStore& store,
                                    const MeterOptions& options) {
  std::vector<OpenTrials> result;
  for (std::size_t index = 0; index < plan.groups.size(); ++index) {
    const GroupTrials& group = plan.groups[index];
    OpenTrials open{.group = index};
    for (std::size_t trial = 0; trial < group.trials.size(); ++trial) {
      const SensitivityPoint* point = store.find(group.group, group.trials[trial].ratio);
      if (point == nullptr || !is_settled(*point, store.header.images, options))
        open.trials.push_back(trial);
    }
    if (!open.trials.empty()) result.push_back(std::move(open));
  }
  return result;
}

SensitivityResult analyse_sensitivity(const SensitivityRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  base::invariant(request.workers == 1 || !request.worker_command.empty(), "no worker command");
  SensitivityJob job(request);
  std::optional<SensitivityWorkers> workers;
  if (request.workers > 1) {
    workers.emplace(request.worker_command, request.workers);
  } else {
    job.prepare();
  }
  SensitivityWriter writer(request.output, workers ? workers->header() : job.header(),
                           request.resume);
  const std::vector<OpenTrials> open = open_trials(job.plan(), writer.store(), request.meter);
  PointProgress progress(open, writer.store().points.size(), request.progress);
  SensitivityResult result{.untouched = job.plan().untouched};
  const auto found = [&](const SensitivityPoint& point) {
    writer.add(point);
    progress.add(point);
    ++result.measured;
  };
  if (workers) {
    workers->run(open, found);
  } else {
    const double before = cpu_seconds();
    for (const OpenTrials& group : open) {
      job.meter().measure(job.plan().groups[group.group], group.trials, found);
    }
    const double evaluations =
        static_cast<double>(result.measured) * job.meter().baseline_cpu_seconds();
    if (evaluations > 0) result.cost = (cpu_seconds() - before) / evaluations;
  }
  progress.finish();
  writer.finish(group_order(job.plan()));
  result.store = writer.store();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

void serve_sensitivity(const SensitivityRequest& request, std::istream& orders,
                       std::ostream& answers) {
  SensitivityJob job(request);
  job.prepare();
  answers << "header " << escape_line(to_text({.header = job.header()})) << std::endl;
  std::string line;
  while (std::getline(orders, line)) {
    std::istringstream words(line);
    OpenTrials open;
    words >> open.group;
    for (std::size_t trial = 0; words >> trial;) open.trials.push_back(trial);
    job.meter().measure(job.plan().groups.at(open.group), open.trials,
                        [&](const SensitivityPoint& point) {
                          answers << "point " << to_line(point) << std::flush;
                        });
    answers << "done" << std::endl;
  }
}

}  // namespace espalier::recipe
