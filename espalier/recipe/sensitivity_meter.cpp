#include "espalier/recipe/sensitivity_meter.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "espalier/analysis/subgraph.h"
#include "espalier/base/check.h"
#include "espalier/base/name_match.h"
#include "espalier/data/labels.h"
#include "espalier/exec/program.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/recipe/model_input.h"
#include "espalier/recipe/safe_images.h"
#include "espalier/recipe/trial_run.h"
#include "espalier/tensor/worker_threads.h"
#include "espalier/train/class_scores.h"
#include "espalier/train/reestimate_norms.h"

namespace espalier::recipe {
namespace {

constexpr std::array kMetrics{
    std::pair{std::string_view("top1"), SensitivityMetric::Top1},
    std::pair{std::string_view("divergence"), SensitivityMetric::Divergence}};

/// Every value that a group's measurement starts from.
std::vector<std::string> all_boundaries(const std::vector<GroupTrials>& groups) {
  std::set<std::string> names;
  for (const GroupTrials& group : groups)
    names.insert(group.frontier.begin(), group.frontier.end());
  return {names.begin(), names.end()};
}

/// Images with a label below which an interval says nothing.
constexpr std::int64_t kLeastLabelled = 50;

void check_output(const Tensor& output, const ir::Value& value, SensitivityMetric metric) {
  const std::int64_t wanted =
      metric == SensitivityMetric::Top1 ? 2 : std::max<std::int64_t>(output.dim(), 2);
  if (output.dim() == wanted && output.size(1) > 1) return;
  throw base::UnsupportedError(
      {.what = "cannot measure sensitivities of the model",
       .where = fmt::format("output '{}'", value.name()),
       .got = fmt::format("shape {}", tensor::to_string(tensor::make_shape(output.sizes().vec()))),
       .expected = metric == SensitivityMetric::Top1 ? "scores of shape [batch, classes]"
                                                     : "classes on axis 1",
       .hint = metric == SensitivityMetric::Top1 ? "choose --metric divergence" : ""});
}

}  // namespace

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

SensitivityMetric parse_sensitivity_metric(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& [known_name, metric] : kMetrics) {
    if (known_name == name) return metric;
    known.emplace_back(known_name);
  }
  throw base::UserError({.what = "unknown metric of sensitivities",
                         .got = fmt::format("'{}'", name),
                         .hint = base::suggest_name(name, known)});
}

std::string_view to_string(SensitivityMetric metric) {
  return kMetrics[static_cast<std::size_t>(metric)].first;
}

/// A trial whose images are being run, in one round over the batches or several.
struct SensitivityMeter::Running {
  Running(std::size_t first_trial, const UnprunedResults& unpruned)
      : trial(first_trial), results(unpruned) {}

  std::size_t trial;
  TrialRun results;
  std::optional<ir::Graph> suffix = {};       ///< the cut graph behind the frontier
  std::optional<exec::Program> program = {};  ///< of the suffix
  ImageUnit open = {};                        ///< waits for images of further batches
  std::size_t seen = 0;                       ///< first images, gone through at least once
  std::size_t next_look = 0;                  ///< position in looks_
  bool stopped = false;
};

SensitivityMeter::SensitivityMeter(const ir::Graph& graph, MeasuringImages images,
                                   const std::vector<GroupTrials>& groups,
                                   const MeterOptions& options)
    : graph_(graph),
      images_(std::move(images)),
      options_(options),
      output_(graph.outputs().at(0)->name()),
      probabilities_(train::gives_probabilities(graph)),
      cache_bytes_(images_.further.empty() ? options.cache_bytes : options.cache_bytes / 2),
      cache_(graph, images_.batches, all_boundaries(groups), cache_bytes_),
      looks_(options.max_loss ? looks(images_.images) : std::vector<std::int64_t>{}),
      look_quantile_(quantile_over(looks_.size())) {
  if (options_.metric == SensitivityMetric::Top1 && images_.labelled < 2) {
    throw base::UserError({.what = "cannot measure the loss of top-1",
                           .got = fmt::format("{} images with a label", images_.labelled),
                           .expected = "labels in the data set",
                           .hint = "choose --metric divergence, which needs none"});
  }
  if (!images_.further.empty()) {
    further_cache_.emplace(graph, images_.further, all_boundaries(groups), cache_bytes_);
  }
  judge_baseline();
}

bool SensitivityMeter::leaves_out() const {
  return options_.metric == SensitivityMetric::Top1 && !looks_.empty();
}

void SensitivityMeter::judge_baseline() {
  const tensor::OneIntraThread caller;
  const std::size_t count = images_.batches.size();
  std::vector<Tensor>& outputs = unpruned_.outputs;
  outputs.resize(count);
  const double start = cpu_seconds();
  tensor::for_each_index(0, count, options_.threads, [&](std::size_t batch) {
    outputs[batch] = train::class_logits(cache_.run_whole(batch, output_), probabilities_);
  });
  baseline_cpu_seconds_ = cpu_seconds() - start;
  check_output(outputs.at(0), *graph_.outputs()[0], options_.metric);
  for (const Tensor& batch : images_.batches) {
    ends_.push_back(unpruned_.images += static_cast<std::size_t>(batch.size(0)));
  }
  unpruned_.batch_size = ends_.at(0);
  if (options_.metric != SensitivityMetric::Top1) return;
  for (std::size_t batch = 0; batch < count; ++batch) {
    const data::Batch labels{.images = {}, .labels = images_.labels[batch], .indices = {}};
    data::check_labels(labels, outputs[batch].size(1));
  }
  unpruned_.labels = join_rows(images_.labels);
  const Tensor scores = join_rows(outputs);
  unpruned_.correct = judge_top1(scores, unpruned_.labels);
  baseline_ = 100.0 * static_cast<double>(std::ranges::count(unpruned_.correct, 1)) /
              static_cast<double>(images_.labelled);
  if (!leaves_out()) return;
  unpruned_.scores = scores;
  unpruned_.classes = best_classes(scores);
  unpruned_.leads = class_leads(scores, unpruned_.classes);
  gathers_ = cache_.holds_images_by_row();
}

/// What lies behind the frontier in the cut graph.
ir::Graph SensitivityMeter::cut_behind(const GroupTrials& group, std::size_t trial) {
  ir::Graph cut = graph_.clone();
  passes::cut_channels(cut, group.plans[trial]);
  ir::Graph suffix = analysis::cut_out_subgraph(cut, group.frontier, std::array{output_});
  if (further_cache_) reestimate(suffix, group);
  return suffix;
}

void SensitivityMeter::reestimate(ir::Graph& suffix, const GroupTrials& group) {
  std::size_t next = 0;
  std::size_t ready = 0;
  const auto inputs = [&]() -> std::vector<Tensor> {
    if (next == images_.further.size()) return {};
    if (next == ready) ready = further_cache_->fill(next, group.frontier, options_.threads);
    return further_cache_->at(next++, group.frontier);
  };
  train::reestimate_norms(suffix, inputs);
}

/// Runs what the trial wants of batches, looking at the loss in between, until it stops.
void SensitivityMeter::run_part(Running& running, const GroupTrials& group, std::size_t first,
                                std::size_t last) {
  if (!running.suffix) running.suffix = cut_behind(group, running.trial);
  if (!running.program) running.program = exec::Program::compile(*running.suffix, {});
  const auto values = [&](std::size_t batch) { return cache_.at(batch, group.frontier); };
  while (first < last && !running.stopped) {
    std::size_t due = ends_.size();
    if (running.next_look < looks_.size()) {
      const auto wanted = static_cast<std::size_t>(looks_[running.next_look]);
      due = static_cast<std::size_t>(std::ranges::lower_bound(ends_, wanted) - ends_.begin()) + 1;
    }
    const std::size_t end = std::min(due, last);
    const std::vector<ImageUnit> units = take_units(running, first, end);
    tensor::for_each_index(0, units.size(), options_.threads, [&](std::size_t index) {
      const std::vector<Tensor> inputs = gather_images(units[index], unpruned_.batch_size, values);
      const Tensor output = running.program->run(inputs).at(0);
      running.results.record(units[index], train::class_logits(output, probabilities_));
    });
    running.seen = std::max(running.seen, ends_[end - 1]);
    if (end == due && end < ends_.size()) look(running);
    first = end;
  }
  if (running.open.images.empty()) return;
  running.open.kept = gather_images(running.open, unpruned_.batch_size, values);
  running.open.num_kept = running.open.images.size();
}

/// Puts the images that a trial wants of batches together, as many as a batch has. What is left
/// over waits for further batches: so units do not depend on how many are held at a time.
std::vector<ImageUnit> SensitivityMeter::take_units(Running& running, std::size_t first,
                                                    std::size_t last) const {
  std::vector<ImageUnit> units;
  ImageUnit& open = running.open;
  for (std::size_t batch = first; batch < last; ++batch) {
    const std::size_t start = batch == 0 ? 0 : ends_[batch - 1];
    for (std::size_t image = start; image < ends_[batch]; ++image) {
      if (!running.results.wants(image)) continue;
      open.images.push_back(image);
      if (open.images.size() == unpruned_.batch_size) units.push_back(std::exchange(open, {}));
    }
    if (open.images.empty() || (gathers_ && batch + 1 < ends_.size())) continue;
    if (!gathers_) {
      open.images.resize(ends_[batch] - start);
      std::iota(open.images.begin(), open.images.end(), start);
    }
    units.push_back(std::exchange(open, {}));
  }
  return units;
}

/// Where a look is due: stops the trial or goes on without the images that are safe by now.
void SensitivityMeter::look(Running& running) const {
  while (running.next_look < looks_.size() &&
         running.seen >= static_cast<std::size_t>(looks_[running.next_look])) {
    ++running.next_look;
  }
  const PairedMean loss = running.results.loss(running.seen);
  running.stopped = loss.count() >= kLeastLabelled &&
                    loss.mean() - loss.half_width(look_quantile_) > *options_.max_loss;
  if (!running.stopped && leaves_out()) running.results.leave_out_safe(running.seen);
}

SensitivityPoint SensitivityMeter::to_point(const GroupTrials& group,
                                            const Running& running) const {
  const Trial& trial = group.trials[running.trial];
  const PairedMean loss = running.results.loss(running.seen);
  const double half = loss.half_width(running.stopped ? look_quantile_ : kQuantile95);
  const bool top1 = options_.metric == SensitivityMetric::Top1;
  const double right = 100.0 * static_cast<double>(running.results.num_correct(running.seen)) /
                       static_cast<double>(std::max<std::int64_t>(loss.count(), 1));
  return {.group = group.group,
          .ratio = trial.ratio,
          .channels = group.channels,
          .removed = trial.removed,
          .metric = top1 ? right : loss.mean(),
          .loss = loss.mean(),
          .low = loss.mean() - half,
          .high = loss.mean() + half,
          .divergence = running.results.mean_divergence(running.seen),
          .images = running.results.num_ran(),
          .stopped = running.stopped};
}

SensitivityPoint SensitivityMeter::unchanged_point(const GroupTrials& group,
                                                   const Trial& trial) const {
  return {.group = group.group,
          .ratio = trial.ratio,
          .channels = group.channels,
          .removed = trial.removed,
          .metric = baseline_,
          .images = images_.images};
}

void SensitivityMeter::measure(const GroupTrials& group, const std::vector<std::size_t>& trials,
                               const std::function<void(const SensitivityPoint&)>& found) {
  const tensor::OneIntraThread caller;
  RunningByCount by_count;
  std::multimap<std::int64_t, std::size_t> waiting;
  for (const std::size_t trial : trials) {
    const std::int64_t removed = group.trials.at(trial).removed;
    if (removed == 0 || !group.changes_output) {
      found(unchanged_point(group, group.trials[trial]));
      continue;
    }
    waiting.emplace(removed, trial);
    by_count.try_emplace(removed, trial, unpruned_);
  }
  const auto ended = [&](std::int64_t removed, Running& running) {
    const auto [begin, end] = waiting.equal_range(removed);
    for (auto same = begin; same != end; ++same) {
      running.trial = same->second;
      found(to_point(group, running));
    }
  };
  while (!by_count.empty()) run_round(by_count, group, ended);
}

/// Goes once over the batches, as many at a time as can be held. Trials that want no image more
/// are given to `ended` and dropped.
void SensitivityMeter::run_round(RunningByCount& by_count, const GroupTrials& group,
                                 const std::function<void(std::int64_t removed, Running&)>& ended) {
  const std::vector<char> needed = needed_batches(by_count);
  const auto wants_more = [&](Running& running) {
    return !running.stopped && leaves_out() && running.results.leave_out_safe(0);
  };
  for (std::size_t first = 0; first < ends_.size() && !by_count.empty();) {
    const std::size_t last = cache_.fill(first, group.frontier, options_.threads, needed);
    const bool holds_all = first == 0 && last == ends_.size();
    for (auto place = by_count.begin(); place != by_count.end();) {
      Running& running = place->second;
      run_part(running, group, first, last);
      bool more = last < ends_.size() ? !running.stopped : wants_more(running);
      for (; more && holds_all; more = wants_more(running)) run_part(running, group, first, last);
      if (more) {
        running.program.reset();  // the programs of all trials would take much memory
        ++place;
        continue;
      }
      ended(place->first, running);
      place = by_count.erase(place);
    }
    first = last;
  }
}

std::vector<char> SensitivityMeter::needed_batches(const RunningByCount& by_count) const {
  std::vector<char> needed(ends_.size(), 0);
  for (const auto& [removed, running] : by_count) {
    for (std::size_t image = 0; image < unpruned_.images; ++image) {
      if (running.results.wants(image)) needed[image / unpruned_.batch_size] = 1;
    }
  }
  return needed;
}

}  // namespace espalier::recipe
