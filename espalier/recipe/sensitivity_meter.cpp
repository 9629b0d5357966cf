#include "espalier/recipe/sensitivity_meter.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <map>
#include <set>

#include <fmt/format.h>

#include "espalier/analysis/subgraph.h"
#include "espalier/base/check.h"
#include "espalier/base/name_match.h"
#include "espalier/data/labels.h"
#include "espalier/exec/program.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/recipe/row_order.h"
#include "espalier/recipe/safe_gap.h"
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

/// A trial whose images are being run.
struct SensitivityMeter::Running {
  std::size_t trial = 0;
  std::vector<std::vector<std::int8_t>> correct = {};  ///< of the cut graph, by batch
  std::vector<std::vector<double>> divergence = {};    ///< empty for a batch that is left out
  std::vector<std::vector<double>> gaps = {};          ///< of the cut graph, by batch and image
  SafeGap safe = {};
  double safe_gap = std::numeric_limits<double>::infinity();  ///< as of the last look
  std::size_t done = 0;                                       ///< batches taken in
  std::size_t next_look = 0;                                  ///< position in looks_
  PairedMean loss = {};                                       ///< points, or divergence
  std::int64_t num_correct = 0;
  std::int64_t images = 0;  ///< that were run
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

/// Between two looks, sorts the images by how far the unpruned graph's class is ahead.
void SensitivityMeter::order_images() {
  std::vector<double> gaps;
  for (const Tensor& scores : reference_) {
    const std::vector<double> batch = class_gaps(scores, best_classes(scores));
    gaps.insert(gaps.end(), batch.begin(), batch.end());
  }
  auto first = std::ranges::lower_bound(ends_, SafeGap::kLeastImages);
  while (first != ends_.end()) {
    const auto look = std::ranges::upper_bound(looks_, *first);
    const auto last =
        look == looks_.end() ? std::prev(ends_.end()) : std::lower_bound(first, ends_.end(), *look);
    const auto start = static_cast<std::size_t>(*first);
    const auto order = ascending(gaps, start, static_cast<std::size_t>(*last));
    for (std::vector<Tensor>* rows : {&images_.batches, &images_.labels, &reference_}) {
      move_rows(*rows, start, order);
    }
    first = last == first ? ends_.end() : last;
  }
}

void SensitivityMeter::judge_baseline() {
  const tensor::OneIntraThread caller;
  const std::size_t count = images_.batches.size();
  reference_.resize(count);
  const double start = cpu_seconds();
  tensor::for_each_index(0, count, options_.threads, [&](std::size_t batch) {
    reference_[batch] = train::class_logits(cache_.run_whole(batch, output_), probabilities_);
  });
  baseline_cpu_seconds_ = cpu_seconds() - start;
  check_output(reference_.at(0), *graph_.outputs()[0], options_.metric);
  std::int64_t total = 0;
  for (const Tensor& batch : images_.batches) ends_.push_back(total += batch.size(0));
  if (leaves_out()) order_images();
  std::int64_t num_correct = 0;
  for (std::size_t batch = 0; batch < count; ++batch) {
    if (options_.metric != SensitivityMetric::Top1) break;
    const data::Batch labels{.images = {}, .labels = images_.labels[batch], .indices = {}};
    data::check_labels(labels, reference_[batch].size(1));
    correct_.push_back(judge_top1(reference_[batch], images_.labels[batch]));
    num_correct += std::ranges::count(correct_.back(), 1);
    if (!leaves_out()) continue;
    classes_.push_back(best_classes(reference_[batch]));
    gaps_.push_back(class_gaps(reference_[batch], classes_.back()));
  }
  if (options_.metric == SensitivityMetric::Top1) {
    baseline_ = 100.0 * static_cast<double>(num_correct) / static_cast<double>(images_.labelled);
  }
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

/// Runs batches of the trial, looking at the loss in between, until it stops.
void SensitivityMeter::run_part(Running& running, const GroupTrials& group, std::size_t first,
                                std::size_t last) {
  const exec::Program program = exec::Program::compile(cut_behind(group, running.trial), {});
  while (first < last && !running.stopped) {
    std::size_t end = last;
    if (running.next_look < looks_.size()) {
      const std::int64_t wanted = looks_[running.next_look];
      const auto place = std::ranges::lower_bound(ends_, wanted) - ends_.begin();
      end = std::clamp(static_cast<std::size_t>(place) + 1, first + 1, last);
    }
    tensor::for_each_index(first, end, options_.threads, [&](std::size_t batch) {
      if (leaves_out() && std::ranges::min(gaps_[batch]) >= running.safe_gap) return;
      const Tensor output =
          train::class_logits(program.run(cache_.at(batch, group.frontier)).at(0), probabilities_);
      running.divergence[batch] = divergences(output, reference_[batch]);
      if (options_.metric == SensitivityMetric::Top1) {
        running.correct[batch] = judge_top1(output, images_.labels[batch]);
      }
      if (leaves_out()) running.gaps[batch] = class_gaps(output, classes_[batch]);
    });
    take_in(running, first, end);
    first = end;
  }
}

/// Adds up what batches gave, in the order of the images, and looks whether that is enough.
void SensitivityMeter::take_in(Running& running, std::size_t first, std::size_t last) {
  for (std::size_t batch = first; batch < last; ++batch) {
    const bool ran = !running.divergence[batch].empty();
    if (ran) running.images += images_.batches[batch].size(0);
    if (options_.metric == SensitivityMetric::Divergence) {
      for (const double value : running.divergence[batch]) running.loss.add(value);
      continue;
    }
    if (!ran) running.correct[batch] = correct_[batch];
    for (std::size_t image = 0; image < correct_[batch].size(); ++image) {
      if (ran && leaves_out()) running.safe.add(gaps_[batch][image], running.gaps[batch][image]);
      if (correct_[batch][image] < 0) continue;
      running.loss.add(100.0 * (correct_[batch][image] - running.correct[batch][image]));
      running.num_correct += running.correct[batch][image];
    }
  }
  running.done = last;
  if (last < ends_.size()) look(running);
}

/// Where a look is due: stops the trial or goes on with what is safe by now.
void SensitivityMeter::look(Running& running) const {
  const std::int64_t seen = ends_[running.done - 1];
  if (running.next_look == looks_.size() || seen < looks_[running.next_look]) return;
  while (running.next_look < looks_.size() && seen >= looks_[running.next_look]) {
    ++running.next_look;
  }
  running.safe_gap = running.safe.value();
  if (running.loss.count() < kLeastLabelled) return;
  running.stopped =
      running.loss.mean() - running.loss.half_width(look_quantile_) > *options_.max_loss;
}

/// Over all images so far. Those that were left out count as the mean of those that ran with a gap
/// as large.
double SensitivityMeter::mean_divergence(const Running& running) const {
  PairedMean ran;
  double least_left_out = std::numeric_limits<double>::infinity();
  std::int64_t left_out = 0;
  for (std::size_t batch = 0; batch < running.done; ++batch) {
    for (const double value : running.divergence[batch]) ran.add(value);
    if (!running.divergence[batch].empty()) continue;
    left_out += static_cast<std::int64_t>(gaps_[batch].size());
    least_left_out = std::min(least_left_out, std::ranges::min(gaps_[batch]));
  }
  if (left_out == 0) return ran.mean();
  PairedMean alike;
  for (std::size_t batch = 0; batch < running.done; ++batch) {
    for (std::size_t image = 0; image < running.divergence[batch].size(); ++image) {
      if (gaps_[batch][image] >= least_left_out) alike.add(running.divergence[batch][image]);
    }
  }
  const double other = alike.count() > 0 ? alike.mean() : ran.mean();
  const auto count = static_cast<double>(ran.count());
  const auto others = static_cast<double>(left_out);
  return (count * ran.mean() + others * other) / (count + others);
}

SensitivityPoint SensitivityMeter::to_point(const GroupTrials& group,
                                            const Running& running) const {
  const Trial& trial = group.trials[running.trial];
  const double half = running.loss.half_width(running.stopped ? look_quantile_ : kQuantile95);
  const double mean = running.loss.mean();
  const bool top1 = options_.metric == SensitivityMetric::Top1;
  return {.group = group.group,
          .ratio = trial.ratio,
          .channels = group.channels,
          .removed = trial.removed,
          .metric = top1 ? 100.0 * static_cast<double>(running.num_correct) /
                               static_cast<double>(std::max<std::int64_t>(running.loss.count(), 1))
                         : mean,
          .loss = mean,
          .low = mean - half,
          .high = mean + half,
          .divergence = mean_divergence(running),
          .images = running.images,
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
  std::map<std::int64_t, Running> by_count;  // ratios that remove the same number run once
  std::multimap<std::int64_t, std::size_t> waiting;
  for (const std::size_t trial : trials) {
    const std::int64_t removed = group.trials.at(trial).removed;
    if (removed == 0 || !group.changes_output) {
      found(unchanged_point(group, group.trials[trial]));
      continue;
    }
    waiting.emplace(removed, trial);
    Running& running = by_count[removed];
    running.trial = trial;
    running.correct.resize(ends_.size());
    running.divergence.resize(ends_.size());
    running.gaps.resize(ends_.size());
  }
  for (std::size_t first = 0; first < ends_.size() && !by_count.empty();) {
    const std::size_t last = cache_.fill(first, group.frontier, options_.threads);
    for (auto place = by_count.begin(); place != by_count.end();) {
      Running& running = place->second;
      run_part(running, group, first, last);
      if (!running.stopped && last < ends_.size()) {
        ++place;
        continue;
      }
      const auto [begin, end] = waiting.equal_range(place->first);
      for (auto same = begin; same != end; ++same) {
        running.trial = same->second;
        found(to_point(group, running));
      }
      place = by_count.erase(place);
    }
    first = last;
  }
}

}  // namespace espalier::recipe
