#include "espalier/train/loop.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/Version.h>
#include <ATen/core/grad_mode.h>
#include <torch/headeronly/version.h>

#include "espalier/base/check.h"
#include "espalier/base/interrupt.h"
#include "espalier/base/log.h"
#include "espalier/base/random.h"
#include "espalier/train/checkpoint_folder.h"
#include "espalier/train/denormals.h"
#include "espalier/train/evaluate.h"
#include "espalier/train/follow_state.h"
#include "espalier/train/job_check.h"
#include "espalier/train/not_finite.h"
#include "espalier/train/resume.h"
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

/// Computes with the averages, where they are kept, in its scope.
class WithAverages {
 public:
  explicit WithAverages(std::optional<Average>& average) : average_(average) {
    if (average_) average_->exchange();
  }
  WithAverages(const WithAverages&) = delete;
  WithAverages& operator=(const WithAverages&) = delete;
  ~WithAverages() {
    if (average_) average_->exchange();
  }

 private:
  std::optional<Average>& average_;
};

/// One call of train().
class Run {
 public:
  Run(const TrainJob& job, const TrainOptions& options)
      : job_(job),
        options_(checked(options)),
        steps_per_epoch_(job.data.batches_per_epoch()),
        graph_(job.graph.clone()),
        schedule_(options.schedule, steps_per_epoch_, options.epochs) {
    if (!options.checkpoints.folder.empty()) {
      folder_.emplace(options.checkpoints.folder, options.checkpoints.keep);
    }
    prepare_updates();
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
    result.model = evaluated_model();
    result.state = state_;
    result.seconds = seconds_since(start);
    return result;
  }

 private:
  const TrainOptions& checked(const TrainOptions& options) const {
    check_job(job_, options);
    return options;
  }

  /// Optimizer and average of the program as it is.
  void prepare_updates() {
    const exec::TensorMap& parameters = job_.program.parameters();
    optimizer_ = make_optimizer(options_.optimizer, parameters,
                                group_parameters(graph_, names_of(parameters), options_.groups));
    scales_ = norm_scales(graph_);
    average_.reset();
    if (options_.ema.decay > 0) {
      average_.emplace(options_.ema, averaged_tensors(graph_, job_.program));
    }
  }

  void describe_run() {
    state_.optimizer = optimizer_->describe();
    if (const std::string clip = describe_clip(options_.clip); !clip.empty()) {
      state_.optimizer += ", " + clip;
    }
    if (options_.sparsity.bn_scale > 0) {
      state_.optimizer += fmt::format(", sparsity bn_scale {}", options_.sparsity.bn_scale);
    }
    if (average_) state_.optimizer += fmt::format(", ema {}", options_.ema.decay);
    state_.schedule = schedule_.describe();
    state_.config = options_.checkpoints.config;
    state_.threads = at::get_num_threads();
    state_.instruction_set = at::get_cpu_capability();
    state_.versions = {{"espalier", ESPALIER_VERSION}, {"libtorch", TORCH_VERSION}};
  }

  /// Continues from the newest good checkpoint; gives its step.
  std::optional<std::int64_t> resume() {
    if (folder_) folder_->remove_leftovers();
    if (!folder_ || !options_.checkpoints.resume) {
      start_anew();
      return std::nullopt;
    }
    const std::optional<Checkpoint> checkpoint = folder_->latest();
    if (!checkpoint) {
      base::log_info("no checkpoint in '{}': starting anew", options_.checkpoints.folder.string());
      start_anew();
      return std::nullopt;
    }
    if (checkpoint->state && checkpoint->state->epoch > options_.epochs) {
      throw base::UserError(
          {.what = "cannot go on with a training that has more epochs behind it than are asked for",
           .where = options_.checkpoints.folder.string(),
           .got = fmt::format("{} finished", checkpoint->state->epoch),
           .expected = fmt::format("at most {}", options_.epochs),
           .hint = "ask for as many, or start anew in another folder"});
    }
    restore(*checkpoint);
    announce_start();
    if (state_.epoch == options_.epochs) {
      base::log_info("resumed behind the last epoch, step {}: nothing is left to train",
                     state_.step);
      return state_.step;
    }
    const bool has_best = state_.best_epoch > 0;
    base::log_info(
        "resumed at epoch {}, step {}: weights, optimizer state, data position{} restored",
        state_.epoch + 1, state_.step,
        has_best ? fmt::format(", best {}", state_.best_metric) : "");
    return state_.step;
  }

  /// Data that does not fit is refused before anything of an earlier run is replaced.
  void try_first_batch() {
    const at::NoGradGuard no_gradients;
    job_.data.start({});
    const std::optional<data::Batch> batch = job_.data.next();
    base::check(batch.has_value(), "cannot train: the data set gave no batch");
    job_.program.set_training(false);
    const std::vector<Tensor> outputs = job_.program.run(std::span(&batch->images, 1));
    for (const LossTerm& term : job_.losses) static_cast<void>(term.function(outputs, *batch));
  }

  void announce_start() const {
    if (job_.callbacks.on_start) job_.callbacks.on_start();
  }

  /// Writes the state before the first step: whatever ends this run, resuming finds it and not what
  /// an earlier run left in the folder.
  void start_anew() {
    try_first_batch();
    announce_start();
    if (!folder_) return;
    if (!folder_->files().empty()) {
      base::log_warning("starting anew replaces the checkpoints in '{}'",
                        options_.checkpoints.folder.string());
    }
    folder_->save(checkpoint());
  }

  void restore(const Checkpoint& checkpoint) {
    const std::string optimizer_before = checkpoint.state->optimizer;
    take_over(*checkpoint.state, state_);
    if (!options_.checkpoints.forget_best.empty() && state_.best_epoch > 0) {
      base::log_warning("the best {} of epoch {} {}: the best model is looked for from here on",
                        state_.best_metric, state_.best_epoch, options_.checkpoints.forget_best);
      forget_best();
    }
    const bool rewritten = std::ranges::any_of(job_.strategies, [&](const Strategy* strategy) {
      return strategy->rewrites() && has_started(*strategy);
    });
    if (rewritten) {
      graph_ = checkpoint.graph.clone();
      compile();
      prepare_updates();
    }
    job_.program.load(matching_tensors(checkpoint.graph, job_.program));
    restore_slots(checkpoint.slots, optimizer_before);
    for (Strategy* strategy : job_.strategies) {
      const bool over = state_.epoch > strategy->span().end;
      if (has_started(*strategy) && !over) strategy->on_resume(graph_, job_.program);
    }
  }

  void restore_slots(const exec::TensorMap& slots, const std::string& optimizer_before) {
    exec::TensorMap own;
    exec::TensorMap averages;
    for (const auto& [name, tensor] : slots) {
      (Average::is_slot(name) ? averages : own).emplace(name, tensor);
    }
    if (optimizer_before == state_.optimizer) {
      optimizer_->load_slots(own);
    } else {
      const std::size_t taken = optimizer_->adopt_slots(own);
      const std::size_t all = optimizer_->slots().size();
      if (taken < all) {
        base::log_warning("the optimizer finds {} of its {} state tensors in the checkpoint", taken,
                          all);
      }
    }
    if (!average_) return;
    // Those without a saved one start with the restored weights.
    average_.emplace(options_.ema, averaged_tensors(graph_, job_.program));
    if (average_->adopt_slots(averages) == 0) {
      base::log_warning("the checkpoint has no moving average: it starts with the weights");
    }
  }

  /// True when the position lies behind the first step of the strategy.
  [[nodiscard]] bool has_started(const Strategy& strategy) const {
    const std::int64_t start = strategy.span().start;
    return state_.epoch > start || (state_.epoch == start && state_.step_in_epoch > 0);
  }

  void compile() {
    job_.program = job_.compile ? job_.compile(graph_)
                                : exec::Program::compile(graph_, {.mode = exec::Mode::Training});
    job_.program.set_training(true);
  }

  /// Lets strategies begin and says what the epoch is trained with.
  void begin_epoch() {
    epoch_ = state_.epoch + 1;
    for (Strategy* strategy : job_.strategies) {
      if (strategy->span().start == state_.epoch && state_.step_in_epoch == 0) start(*strategy);
    }
    EpochPlan plan;
    for (const FreezeRule& rule : options_.freezes) {
      if (state_.epoch >= rule.from_epoch) plan.frozen.push_back(rule.pattern);
    }
    for (Strategy* strategy : job_.strategies) {
      if (strategy->span().contains(state_.epoch)) strategy->on_epoch(state_.epoch, plan);
    }
    losses_ = job_.losses;
    std::ranges::move(plan.losses, std::back_inserter(losses_));
    freezer_.apply(job_.program, plan.frozen);
    job_.program.freeze_batch_norm(plan.frozen_batch_norm);
    job_.program.freeze_quantizers(plan.frozen_quantizers);
  }

  void start(Strategy& strategy) {
    base::log_info("epoch {}: {}", state_.epoch + 1, strategy.describe());
    job_.program.write_back(graph_);
    strategy.before_start(evaluated_model());
    const ir::Graph before = graph_.clone();
    const std::optional<Rewrite> rewrite = strategy.on_start(graph_, job_.program);
    if (!rewrite) return;
    exec::TensorMap slots = optimizer_->slots();
    if (average_) slots.merge(average_->slots());
    slots = follow_state(slots, before, graph_, *rewrite);
    compile();
    prepare_updates();
    optimizer_->adopt_slots(slots);
    if (average_) average_->adopt_slots(slots);
    forget_best();
  }

  void forget_best() {
    state_.best_value = 0;
    state_.best_epoch = 0;
  }

  void run_epoch() {
    const Clock::time_point start = Clock::now();
    begin_epoch();
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
    std::vector<double> terms;
    const Tensor total = weighted_sum(outputs, batch, terms);
    base::check(total.requires_grad(), "nothing is left to train: every parameter is frozen");
    total.backward();
    add_sparsity_gradient(job_.program.parameters(), scales_, options_.sparsity);
    const double norm = gradient_norm(job_.program.parameters());
    if (!std::isfinite(norm)) check_gradients();
    clip_gradients(job_.program.parameters(), options_.clip, norm);
    optimizer_->step(lr);
    optimizer_->clear_gradients();
    freezer_.restore_buffers();
    const MetricValues values = measure(outputs, batch, terms, losses_, options_.metrics, meters_);
    ++state_.step;
    ++state_.step_in_epoch;
    if (has_bad_buffer(job_.program)) check_state();
    if (average_) average_->update(state_.step);
    state_.data_offset = job_.data.position().offset;
    timer_.add(seconds_since(start), reader, batch.images.size(0));
    report_step(lr, norm, values);
  }

  [[nodiscard]] Tensor weighted_sum(std::span<const Tensor> outputs, const data::Batch& batch,
                                    std::vector<double>& terms) const {
    Tensor total;
    for (const LossTerm& term : losses_) {
      const Tensor loss = term.function(outputs, batch);
      terms.push_back(loss.item<double>());
      if (!std::isfinite(terms.back())) {
        seed_step(options_.seed, state_.step);  // Dropout as in the step that failed.
        fail_not_finite(
            {.what = "the " + term.name,
             .origin = find_not_finite(graph_, job_.program, std::span(&batch.images, 1)),
             .got = fmt::format("{}", terms.back())});
      }
      const Tensor weighted = term.weight == 1.0 ? loss : loss * term.weight;
      total = total.defined() ? total + weighted : weighted;
    }
    return total;
  }

  void check_gradients() const {
    const std::string origin = find_bad_gradient(graph_, job_.program);
    // Squares of large float64 gradients may overflow where no element does.
    if (!origin.empty()) fail_not_finite({.what = "a gradient", .origin = origin, .got = ""});
  }

  /// Keeps numbers that are not finite out of the file.
  void check_state() const {
    const std::string origin = find_bad_state(graph_, job_.program);
    if (origin.empty()) return;
    fail_not_finite({.what = "a parameter or running statistic",
                     .origin = origin,
                     .got = "",
                     .step = state_.step});
  }

  /// Which number is not finite, and the first layer where it is so.
  struct BadNumber {
    std::string what;
    std::string origin;
    std::string got;
    std::int64_t step = -1;  ///< from 1; -1: the step under way
  };

  [[noreturn]] void fail_not_finite(BadNumber bad) const {
    std::string kept = "no checkpoint was written yet";
    if (folder_ && !folder_->files().empty()) {
      kept = fmt::format("the last good checkpoint is '{}'", folder_->files().back().string());
    }
    throw base::UserError(
        {.what = fmt::format("training stopped: {} is not a finite number", bad.what),
         .where = fmt::format("epoch {}, step {}, first in {}", epoch_,
                              bad.step < 0 ? state_.step + 1 : bad.step, bad.origin),
         .got = std::move(bad.got),
         .hint = fmt::format("a smaller learning rate or a warm-up usually helps; {}", kept)});
  }

  void report_step(double lr, double norm, const MetricValues& values) const {
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
                            .gradient_norm = norm,
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
    end_strategies(report.record);
    if (folder_) {
      const Checkpoint whole = checkpoint();
      if (report.improved) save_best(whole);
      folder_->save(whole);
    }
    if (job_.callbacks.on_epoch) job_.callbacks.on_epoch(report);
  }

  /// Calls on_end of the strategies whose last epoch has just finished.
  void end_strategies(const EpochRecord& record) {
    for (Strategy* strategy : job_.strategies) {
      if (strategy->span().end + 1 == state_.epoch) strategy->on_end(evaluated_model(), record);
    }
  }

  void save_best(const Checkpoint& whole) {
    if (!average_) return folder_->save_best(whole);
    folder_->save_best({.graph = evaluated_model(), .state = whole.state, .slots = whole.slots});
  }

  /// The graph with the weights that evaluations see.
  [[nodiscard]] ir::Graph evaluated_model() {
    const WithAverages averages(average_);
    ir::Graph model = graph_.clone();
    job_.program.write_back(model);
    return model;
  }

  MetricValues run_evaluation() {
    job_.program.set_training(false);
    try {
      const WithAverages averages(average_);
      MetricValues values = evaluate(job_.program, *job_.evaluation, job_.losses, options_.metrics);
      check_evaluation(values);
      job_.program.set_training(true);
      return values;
    } catch (const base::Interrupted&) {
      base::log_info("the evaluation was interrupted");
    }
    stop();  // Outside the scope of the averages: checkpoints hold the weights themselves.
  }

  void check_evaluation(const MetricValues& values) const {
    if (std::isfinite(values.at("loss"))) return;
    const std::string origin = find_bad_state(graph_, job_.program);
    fail_not_finite({.what = "the loss of the evaluation",
                     .origin = origin.empty() ? "the images of the evaluation" : origin,
                     .got = fmt::format("{}", values.at("loss")),
                     .step = state_.step});
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
    check_state();
    state_.meters = meters_.state();
    Checkpoint result{.graph = graph_.clone(), .state = state_, .slots = optimizer_->slots()};
    if (average_) result.slots.merge(average_->slots());
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
  ir::Graph graph_;  ///< what the program is compiled from; its weights may be older
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<Average> average_;
  Freezer freezer_;
  std::vector<std::string> scales_;  ///< that a sparsity penalty pulls towards zero
  std::vector<LossTerm> losses_;     ///< of the epoch under way
  std::int64_t epoch_ = 0;           ///< the one under way, from 1, until the next begins
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
