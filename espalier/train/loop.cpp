#include "espalier/train/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include "espalier/base/check.h"
#include "espalier/base/interrupt.h"
#include "espalier/base/log.h"
#include "espalier/base/random.h"
#include "espalier/train/checkpoint_folder.h"
#include "espalier/train/denormals.h"
#include "espalier/train/evaluate.h"
#include "espalier/train/not_finite.h"
#include "espalier/train/step_timer.h"

namespace espalier::train {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::string> names_of(const exec::TensorMap& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

/// Whatever draws random numbers in a step (Dropout) draws from a stream named by the step.
void seed_step(std::uint64_t seed, std::int64_t step) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_current_seed(base::mix(seed, static_cast<std::uint64_t>(step)));
}

/// One call of train().
class Run {
 public:
  Run(const TrainJob& job, const TrainOptions& options)
      : job_(job),
        options_(checked(options)),
        steps_per_epoch_(job.data.batches_per_epoch()),
        optimizer_(make_optimizer(
            options.optimizer, job.program.parameters(),
            group_parameters(job.graph, names_of(job.program.parameters()), options.groups))),
        schedule_(options.schedule, steps_per_epoch_, options.epochs) {
    if (!options.checkpoints.folder.empty()) {
      folder_.emplace(options.checkpoints.folder, options.checkpoints.keep);
    }
    state_.steps_per_epoch = steps_per_epoch_;
    state_.seed = options.seed;
    state_.best_metric = job.evaluation == nullptr ? "" : options.best_metric;
    describe_run();
  }

  TrainResult run() {
    const Clock::time_point start = Clock::now();
    const FlushDenormals flush;
    TrainResult result;
    result.resumed_at = resume();
    job_.program.set_training(true);
    while (state_.epoch < options_.epochs) run_epoch();
    result.state = state_;
    result.seconds = seconds_since(start);
    return result;
  }

 private:
  const TrainOptions& checked(const TrainOptions& options) const {
    base::check(options.epochs >= 1, "epochs: got {}, expected 1 or more", options.epochs);
    base::check(options.evaluate_every_epochs >= 1,
                "epochs between evaluations: got {}, expected 1 or more",
                options.evaluate_every_epochs);
    base::check(options.checkpoints.every_steps >= 0,
                "steps between checkpoints: got {}, expected 0 or more",
                options.checkpoints.every_steps);
    base::check(!options.checkpoints.resume || !options.checkpoints.folder.empty(),
                "cannot resume without a folder of checkpoints");
    base::invariant(!job_.losses.empty(), "training without a loss");
    if (job_.evaluation == nullptr) return options;
    std::vector<std::string> known{"loss"};
    for (const TopK& metric : options.metrics) known.push_back(metric.name());
    for (const LossTerm& loss : job_.losses) {
      if (job_.losses.size() > 1) known.push_back(loss.name);
    }
    if (std::ranges::find(known, options.best_metric) == known.end()) {
      throw base::UserError({.what = "the metric that decides the best model is not measured",
                             .got = fmt::format("'{}'", options.best_metric),
                             .expected = fmt::format("{}", fmt::join(known, ", "))});
    }
    return options;
  }

  void describe_run() {
    state_.optimizer = optimizer_->describe();
    state_.schedule = schedule_.describe();
    state_.config = options_.checkpoints.config;
    state_.threads = at::get_num_threads();
    state_.instruction_set = at::get_cpu_capability();
    state_.versions = {{"espalier", ESPALIER_VERSION}, {"libtorch", TORCH_VERSION}};
  }

  /// Continues from the newest good checkpoint; gives its step.
  std::optional<std::int64_t> resume() {
    if (!folder_) return std::nullopt;
    folder_->remove_leftovers();
    if (!options_.checkpoints.resume) {
      start_anew();
      return std::nullopt;
    }
    const std::optional<Checkpoint> checkpoint = folder_->latest();
    if (!checkpoint) {
      base::log_info("no checkpoint in '{}': starting anew", options_.checkpoints.folder.string());
      start_anew();
      return std::nullopt;
    }
    restore_tensors(*checkpoint);
    restore_state(*checkpoint->state);
    base::log_info(
        "resumed at epoch {}, step {}: weights, optimizer state, data position, best "
        "{} restored",
        state_.epoch + 1, state_.step, state_.best_metric.empty() ? "metric" : state_.best_metric);
    return state_.step;
  }

  /// Writes the state before the first step: whatever ends this run, resuming finds it and not what
  /// an earlier run left in the folder.
  void start_anew() {
    if (!folder_->files().empty()) {
      base::log_warning("starting anew replaces the checkpoints in '{}'",
                        options_.checkpoints.folder.string());
    }
    folder_->save(checkpoint());
  }

  void restore_tensors(const Checkpoint& checkpoint) {
    exec::TensorMap tensors;
    const auto collect = [&](const exec::TensorMap& wanted) {
      for (const auto& [name, tensor] : wanted) {
        const ir::Value* value = checkpoint.graph.find_value(name);
        if (value == nullptr || !value->is_initializer()) {
          throw base::UserError({.what = "the checkpoint is of another model",
                                 .where = fmt::format("parameter '{}'", name),
                                 .got = "nothing",
                                 .expected = "its values"});
        }
        tensors.emplace(name, value->constant());
      }
    };
    collect(job_.program.parameters());
    collect(job_.program.buffers());
    job_.program.load(tensors);
    optimizer_->load_slots(checkpoint.slots);
  }

  /// Takes the position over; keeps what this run was asked to be, and warns where that differs.
  void restore_state(const TrainState& saved) {
    const auto warn = [](std::string_view what, const auto& before, const auto& now) {
      if (before == now) return;
      base::log_warning(
          "the checkpoint was made with {} '{}', this run has '{}': it will not end "
          "with the same bytes",
          what, before, now);
    };
    warn("seed", saved.seed, state_.seed);
    warn("threads", saved.threads, state_.threads);
    warn("instruction set", saved.instruction_set, state_.instruction_set);
    warn("optimizer", saved.optimizer, state_.optimizer);
    warn("schedule", saved.schedule, state_.schedule);
    warn("steps an epoch", saved.steps_per_epoch, state_.steps_per_epoch);
    for (const auto& [name, version] : state_.versions) {
      const auto before = saved.versions.find(name);
      warn(name, before == saved.versions.end() ? std::string("none") : before->second, version);
    }
    state_.epoch = saved.epoch;
    state_.step_in_epoch = saved.step_in_epoch;
    state_.data_offset = saved.data_offset;
    state_.step = saved.step;
    state_.meters = saved.meters;
    state_.history = saved.history;
    if (saved.best_metric == state_.best_metric) {
      state_.best_value = saved.best_value;
      state_.best_epoch = saved.best_epoch;
    } else if (!saved.best_metric.empty() && !state_.best_metric.empty()) {
      base::log_warning("the best {} of the checkpoint does not count for this run's {}",
                        saved.best_metric, state_.best_metric);
    }
  }

  void run_epoch() {
    const Clock::time_point start = Clock::now();
    meters_.restore(state_.meters);
    timer_.start_epoch();
    job_.data.start({.epoch = state_.epoch, .offset = state_.data_offset});
    while (true) {
      const Clock::time_point step_start = Clock::now();
      const std::optional<data::Batch> batch = job_.data.next();
      if (!batch) break;
      run_step(*batch, step_start);
      if (base::interrupted()) stop();
      const std::int64_t every = options_.checkpoints.every_steps;
      if (folder_ && every > 0 && state_.step % every == 0) folder_->save(checkpoint());
    }
    base::check(state_.step_in_epoch > 0, "cannot train: the data set gave no batch");
    finish_epoch(start);
  }

  void run_step(const data::Batch& batch, Clock::time_point start) {
    const double reader = seconds_since(start);
    const double lr = schedule_.at(state_.epoch * steps_per_epoch_ + state_.step_in_epoch);
    seed_step(options_.seed, state_.step);
    const std::vector<Tensor> outputs = job_.program.run(std::span(&batch.images, 1));
    Tensor total;
    std::vector<double> terms;
    for (const LossTerm& term : job_.losses) {
      const Tensor loss = term.function(outputs, batch);
      terms.push_back(loss.item<double>());
      if (!std::isfinite(terms.back())) fail_not_finite(term.name, terms.back(), batch);
      const Tensor weighted = term.weight == 1.0 ? loss : loss * term.weight;
      total = total.defined() ? total + weighted : weighted;
    }
    total.backward();
    optimizer_->step(lr);
    optimizer_->clear_gradients();
    const MetricValues values =
        measure(outputs, batch, terms, job_.losses, options_.metrics, meters_);
    ++state_.step;
    ++state_.step_in_epoch;
    state_.data_offset = job_.data.position().offset;
    timer_.add(seconds_since(start), reader, batch.images.size(0));
    report_step(lr, values);
  }

  [[noreturn]] void fail_not_finite(const std::string& term, double value,
                                    const data::Batch& batch) const {
    const std::string origin =
        find_not_finite(job_.graph, job_.program, std::span(&batch.images, 1));
    std::string kept = "no checkpoint was written yet";
    if (folder_ && !folder_->files().empty()) {
      kept = fmt::format("the last good checkpoint is '{}'", folder_->files().back().string());
    }
    throw base::UserError(
        {.what = fmt::format("training stopped: the {} is not a finite number", term),
         .where = fmt::format("epoch {}, step {}, first in {}", state_.epoch + 1, state_.step + 1,
                              origin),
         .got = fmt::format("{}", value),
         .hint = fmt::format("a smaller learning rate or a warm-up usually helps; {}", kept)});
  }

  void report_step(double lr, const MetricValues& values) const {
    if (!job_.callbacks.on_step) return;
    const bool due =
        options_.log_every_steps > 0 && (state_.step_in_epoch % options_.log_every_steps == 0 ||
                                         state_.step_in_epoch == steps_per_epoch_);
    const std::int64_t remaining =
        (options_.epochs - state_.epoch) * steps_per_epoch_ - state_.step_in_epoch;
    const StepReport report{.epoch = state_.epoch + 1,
                            .epochs = options_.epochs,
                            .iteration = state_.step_in_epoch,
                            .iterations = steps_per_epoch_,
                            .step = state_.step,
                            .log_due = due,
                            .lr = lr,
                            .values = values,
                            .means = meters_.means(),
                            .batch_cost = timer_.batch_cost(),
                            .reader_cost = timer_.reader_cost(),
                            .samples_per_second = timer_.samples_per_second(),
                            .eta = static_cast<double>(remaining) * timer_.batch_cost()};
    job_.callbacks.on_step(report);
  }

  void finish_epoch(Clock::time_point start) {
    EpochReport report{
        .record = {.epoch = state_.epoch + 1, .training = meters_.means(), .evaluation = {}},
        .epochs = options_.epochs,
        .step = state_.step,
        .best_metric = state_.best_metric};
    const bool last = state_.epoch + 1 == options_.epochs;
    if (job_.evaluation != nullptr &&
        (last || (state_.epoch + 1) % options_.evaluate_every_epochs == 0)) {
      report.record.evaluation = run_evaluation();
      report.improved = update_best(report.record);
    }
    ++state_.epoch;
    state_.step_in_epoch = state_.data_offset = 0;
    meters_.clear();
    state_.history.push_back(report.record);
    report.best_value = state_.best_value;
    report.best_epoch = state_.best_epoch;
    report.seconds = seconds_since(start);
    if (folder_) {
      const Checkpoint whole = checkpoint();
      if (report.improved) folder_->save_best(whole);
      folder_->save(whole);
    }
    if (job_.callbacks.on_epoch) job_.callbacks.on_epoch(report);
  }

  MetricValues run_evaluation() {
    job_.program.set_training(false);
    try {
      MetricValues values = evaluate(job_.program, *job_.evaluation, job_.losses, options_.metrics);
      job_.program.set_training(true);
      return values;
    } catch (const base::Interrupted&) {
      stop();
    }
  }

  /// True when the record's evaluation is the best so far, which it then becomes.
  bool update_best(const EpochRecord& record) {
    const double value = record.evaluation.at(state_.best_metric);
    const bool smaller_wins = !state_.best_metric.starts_with("top");
    const bool better = state_.best_epoch == 0 ||
                        (smaller_wins ? value < state_.best_value : value > state_.best_value);
    if (!better) return false;
    state_.best_value = value;
    state_.best_epoch = record.epoch;
    return true;
  }

  [[nodiscard]] Checkpoint checkpoint() {
    state_.meters = meters_.state();
    Checkpoint result{.graph = job_.graph.clone(), .state = state_, .slots = optimizer_->slots()};
    job_.program.write_back(result.graph);
    return result;
  }

  /// Saves and throws Interrupted.
  [[noreturn]] void stop() {
    if (!folder_) throw base::Interrupted("training stopped; no checkpoint folder was given");
    const std::filesystem::path path = folder_->save(checkpoint());
    throw base::Interrupted(fmt::format(
        "training stopped after step {}; saved '{}': resume to go on", state_.step, path.string()));
  }

  const TrainJob& job_;
  const TrainOptions& options_;
  std::int64_t steps_per_epoch_;
  std::unique_ptr<Optimizer> optimizer_;
  Schedule schedule_;
  std::optional<CheckpointFolder> folder_;
  TrainState state_;
  Meters meters_;
  StepTimer timer_;
};

}  // namespace

TrainResult train(const TrainJob& job, const TrainOptions& options) {
  return Run(job, options).run();
}

}  // namespace espalier::train
