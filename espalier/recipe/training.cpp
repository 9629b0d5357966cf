#include "espalier/recipe/training.h"

#include <memory>
#include <optional>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/passes/open_batch.h"
#include "espalier/recipe/losses.h"
#include "espalier/recipe/open_for_training.h"
#include "espalier/recipe/resuming.h"
#include "espalier/recipe/strategies.h"
#include "espalier/report/tensorboard.h"
#include "espalier/tensor/caching_allocator.h"
#include "espalier/train/checkpoint_folder.h"
#include "espalier/train/loader_source.h"
#include "espalier/train/log_line.h"

namespace espalier::recipe {
namespace {

/// Sends what the loop reports to the log, the progress bar and the event file.
class Reporter {
 public:
  Reporter(const TrainingRequest& request, std::int64_t iterations, std::int64_t resume_step)
      : request_(request),
        resume_step_(resume_step),
        progress_({.title = "train",
                   .total = iterations * request.stage.options.epochs,
                   .unit = "steps",
                   .initial = std::max<std::int64_t>(resume_step, 0),
                   .style = request.progress}) {}

  [[nodiscard]] train::Callbacks callbacks() {
    return {.on_start = [this] { on_start(); },
            .on_step = [this](const train::StepReport& report) { on_step(report); },
            .on_epoch = [this](const train::EpochReport& report) { on_epoch(report); }};
  }

 private:
  void on_start() {
    if (request_.on_start) request_.on_start();
    const report::EventWriterOptions options{.resume_at_step = resume_step_};
    events_ = std::make_unique<report::EventWriter>(request_.folder, options);
  }

  void on_step(const train::StepReport& report) {
    if (report.log_due) {
      progress_.clear();
      base::log_info("{}", train::train_line(report));
      for (const auto& [name, value] : report.values) {
        events_->add_scalar("train/" + name, value, report.step);
      }
      events_->add_scalar("train/lr", report.lr, report.step);
      events_->add_scalar("train/gradient_norm", report.gradient_norm, report.step);
      events_->add_scalar("train/images_per_second", report.samples_per_second, report.step);
      events_->flush();
    }
    const auto loss = report.means.find("loss");
    progress_.update(report.step, loss == report.means.end()
                                      ? std::string()
                                      : fmt::format("loss {:.4f}", loss->second));
  }

  void on_epoch(const train::EpochReport& report) {
    progress_.clear();
    base::log_info("{}", train::epoch_line(report));
    for (const auto& [name, value] : report.record.evaluation) {
      events_->add_scalar("eval/" + name, value, report.step);
    }
    if (!report.record.evaluation.empty()) base::log_info("{}", train::evaluation_line(report));
    events_->flush();
  }

  const TrainingRequest& request_;
  std::int64_t resume_step_;
  std::unique_ptr<report::EventWriter> events_ = nullptr;  ///< made when the training begins
  report::Progress progress_;
};

/// The state in the newest checkpoint that a resumed run goes on from; nothing for a new run.
std::optional<train::TrainState> state_to_resume(const train::CheckpointOptions& options) {
  if (!options.resume) return std::nullopt;
  const auto newest = train::CheckpointFolder(options.folder, options.keep).latest();
  return newest ? newest->state : std::nullopt;
}

/// What would fail in the middle of the training otherwise. Names that a strategy `quantize` will
/// give are not known yet.
void check_freezes(const TrainStage& stage, const exec::Program& program) {
  if (quantize_strategy(stage) != nullptr) return;
  for (const StrategyConfig& strategy : stage.strategies) {
    const auto* freeze = std::get_if<FreezeConfig>(&strategy.what);
    if (freeze != nullptr) train::check_freezable(program, freeze->match);
  }
}

/// Classes of the evaluation images that the model does not know.
void check_classes(const ir::Graph& graph, const data::Dataset& dataset,
                   const std::string& source) {
  const auto& shape = graph.outputs().front()->type().shape;
  if (!shape || shape->size() < 2 || !(*shape)[1].known()) return;
  const std::int64_t classes = *(*shape)[1].size;
  if (dataset.num_classes() <= classes) return;
  throw base::UserError({.what = "the evaluation images have classes that the model has not",
                         .where = source,
                         .got = fmt::format("{} classes", dataset.num_classes()),
                         .expected = fmt::format("at most {}", classes)});
}

/// The best model cannot be chosen by a share of right answers that nobody knows.
void check_labels_for(std::string_view metric, const data::Dataset& images,
                      const std::string& source) {
  if (!metric.starts_with("top") || images.num_classes() > 0) return;
  throw base::UserError({.what = fmt::format("best_metric '{}' needs labels", metric),
                         .where = source,
                         .got = "evaluation images without labels",
                         .hint = "say best_metric: loss in the stage"});
}

/// What trains, and the teacher `self` where it is another graph, for any batch.
struct OpenedGraphs {
  explicit OpenedGraphs(const TrainingRequest& request) : graph(open_for_training(request.graph)) {
    if (request.self != nullptr) self.emplace(open_for_training(*request.self));
    if (const auto batch = deploy::fixed_batch(request.graph)) {
      base::log_info("the model fixes a batch of {}: it is open while it trains", *batch);
    }
  }
  ir::Graph graph;
  std::optional<ir::Graph> self = std::nullopt;
};

/// The model of the best epoch; without it, what ships would be another one than the log says.
ir::Graph read_best(const std::filesystem::path& path, const train::TrainState& state) {
  constexpr std::string_view kHint =
      "without it the training has to be done anew: --overwrite, or another -o";
  try {
    return train::read_checkpoint(path).graph;
  } catch (const base::UserError& error) {
    throw base::UserError(
        {.what = fmt::format("the best model, of epoch {}, cannot be read", state.best_epoch),
         .got = error.what(),
         .hint = std::string(kHint)});
  }
}

/// Why the best value so far does not count for the epochs that are left; empty when it does.
std::string why_best_is_lost(const TrainingRequest& request, const train::TrainState& state) {
  if (!judges_alike(state.config, request.config, request.stage.options.best_metric)) {
    return "was measured otherwise";
  }
  if (state.best_epoch == 0 || state.epoch >= request.stage.options.epochs) return "";
  const train::CheckpointFolder folder(request.folder / request.checkpoint_folder,
                                       request.stage.options.checkpoints.keep);
  try {
    static_cast<void>(train::read_checkpoint(folder.best_path()));
    return "";
  } catch (const base::UserError& error) {
    return fmt::format("is lost ({})", error.what());
  }
}

data::Loader make_training_loader(const TrainingRequest& request) {
  data::Loader loader = data::make_loader(request.data.for_training(), request.seed);
  if (loader.batches_per_epoch() != 0) return loader;
  throw base::UserError({.what = "too few training images for one batch",
                         .where = request.data.source,
                         .got = fmt::format("{} images", loader.dataset().size()),
                         .expected = fmt::format("at least batch_size {}, or drop_last: false",
                                                 request.data.for_training().sampler.batch_size)});
}

}  // namespace

TrainingOutcome run_training(const TrainingRequest& request) {
  tensor::release_cached();  // what a calibration left is of other sizes
  train::TrainOptions options = request.stage.options;
  options.checkpoints.folder = request.folder / request.checkpoint_folder;
  options.checkpoints.resume = request.resume;
  options.checkpoints.config = request.config;
  const std::optional<train::TrainState> resumed = state_to_resume(options.checkpoints);
  options.checkpoints.forget_best = resumed ? why_best_is_lost(request, *resumed) : "";
  data::Loader training_loader = make_training_loader(request);
  train::LoaderSource training(training_loader);
  std::optional<data::Loader> evaluation_loader;
  std::optional<train::LoaderSource> evaluation;
  if (request.data.eval) {
    evaluation_loader.emplace(data::make_loader(*request.data.eval, request.seed));
    check_classes(request.graph, evaluation_loader->dataset(), request.data.source);
    check_labels_for(options.best_metric, evaluation_loader->dataset(), request.data.source);
    evaluation.emplace(*evaluation_loader);
  }
  const OpenedGraphs opened(request);
  const ir::Graph& graph = opened.graph;
  const ir::Graph& self = opened.self ? *opened.self : graph;
  const StudentFeatures features(graph, request.stage);
  exec::Program program = features.compile(graph);
  check_freezes(request.stage, program);
  const StrategyContext context{.self = self,
                                .features = features,
                                .folder = request.folder,
                                .data = &request.data,
                                .calibration = request.calibration,
                                .threads = request.threads,
                                .progress = request.progress,
                                .checkpoints = options.checkpoints.folder};
  const auto strategies = make_strategies(request.stage, context);
  Reporter reporter(request, training.batches_per_epoch(), resumed ? resumed->step : -1);
  train::TrainJob job{
      .graph = graph,
      .program = program,
      .data = training,
      .evaluation = evaluation ? &*evaluation : nullptr,
      .losses = make_losses(request.stage.losses, request.stage.teacher, self, features),
      .callbacks = reporter.callbacks(),
      .compile = [&](const ir::Graph& changed) { return features.compile(changed); }};
  for (const auto& strategy : strategies) job.strategies.push_back(strategy.get());
  train::TrainResult result = train::train(job, options);
  TrainingOutcome outcome{
      .best = std::move(result.model), .state = result.state, .seconds = result.seconds};
  const train::CheckpointFolder folder(options.checkpoints.folder, options.checkpoints.keep);
  if (evaluation && outcome.state.best_epoch > 0) {
    outcome.best = read_best(folder.best_path(), outcome.state);
  }
  passes::run(outcome.best, {passes::close_batch()});
  return outcome;
}

}  // namespace espalier::recipe
