#include "espalier/recipe/run.h"

#include <map>
#include <utility>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/onnx/codec.h"
#include "espalier/passes/pass.h"
#include "espalier/passes/pipelines.h"
#include "espalier/recipe/model_input.h"
#include "espalier/recipe/model_source.h"
#include "espalier/recipe/plan_yaml.h"
#include "espalier/recipe/prune_plan_yaml.h"
#include "espalier/recipe/pruning.h"
#include "espalier/recipe/quantization.h"
#include "espalier/recipe/quantize_strategy.h"
#include "espalier/recipe/report.h"
#include "espalier/recipe/resuming.h"
#include "espalier/recipe/run_folder.h"
#include "espalier/recipe/stage_files.h"
#include "espalier/recipe/strategies.h"
#include "espalier/recipe/training.h"
#include "espalier/train/checkpoint.h"
#include "espalier/train/checkpoint_folder.h"

namespace espalier::recipe {
namespace {

/// The model on its way through the stages, and what each left for the report.
struct Progress {
  ir::Graph graph;
  std::optional<TrainingOutcome> training = std::nullopt;
  std::optional<report::Json> pruning = std::nullopt;
  std::optional<std::string> prune_plan = std::nullopt;
  std::optional<std::pair<analysis::CostTable, analysis::CostTable>> cut = std::nullopt;
  std::optional<QuantizationResult> quantization = std::nullopt;
  int opset = 17;
};

/// What an earlier run left of a training stage.
struct Left {
  Reuse reuse = Reuse::Anew;
  std::optional<train::Checkpoint> finished = std::nullopt;
};

/// The result of a finished stage; nothing where there is none, or (said in the log) a damaged one:
/// the stage's checkpoints are then looked at.
std::optional<train::Checkpoint> read_finished(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  try {
    return train::read_checkpoint(file);
  } catch (const base::UserError& error) {
    base::log_warning("passed over the result of a finished stage: {}", error.what());
    return std::nullopt;
  }
}

Left look_for(const StagePart& place, const Recipe& recipe, const RunFolder& folder) {
  if (auto finished = read_finished(stage_file(folder.path(), place))) {
    const std::string config = finished->state ? finished->state->config : "";
    return {.reuse = reuse_of(recipe, place.stage, config), .finished = std::move(finished)};
  }
  const auto newest = train::CheckpointFolder(folder.path() / stage_folder(place), 1).latest();
  if (!newest) return {};
  const Reuse reuse = reuse_of(recipe, place.stage, newest->state->config);
  return {.reuse = reuse == Reuse::Anew ? Reuse::Anew : Reuse::Continue};
}

/// A training that belongs to a stage of the recipe.
struct StageTraining {
  const TrainStage& stage;
  std::size_t index = 0;
  const Recipe& recipe;
  const RunOptions& options;
  const RunFolder& folder;
  std::int64_t part = 0;  ///< from 1 where the stage trains several times
};

/// True when a stage computes running statistics anew after its training.
bool reestimates(const Stage& stage) {
  if (const auto* quantize = std::get_if<QuantizeStage>(&stage)) {
    return quantize->qat && quantize->qat->reestimate_batch_norm;
  }
  const auto* training = std::get_if<TrainStage>(&stage);
  const TrainQuantizeConfig* config = training == nullptr ? nullptr : quantize_strategy(*training);
  return config != nullptr && config->reestimate_batch_norm;
}

/// Trains, or takes the result of an earlier run that finished this stage.
TrainingOutcome train_or_reuse(const StageTraining& training, const ir::Graph& graph,
                               const ir::Graph& self) {
  const auto& [stage, index, recipe, options, folder, part] = training;
  const StagePart place{.stage = index, .part = part};
  Left left = options.resume ? look_for(place, recipe, folder) : Left{};
  if (left.finished && left.reuse == Reuse::Finished) {
    base::log_info("stage {} ({}) was finished before", index, stage_name(recipe.stages[index]));
    return {.best = std::move(left.finished->graph),
            .state = left.finished->state.value_or(train::TrainState{})};
  }
  if (left.finished) {
    base::log_info("stage {} ({}) was finished with another recipe: it {}", index,
                   stage_name(recipe.stages[index]),
                   left.reuse == Reuse::Anew ? "starts anew" : "goes on with this one");
  }
  TrainingOutcome outcome = run_training({.graph = graph,
                                          .data = recipe.data,
                                          .stage = stage,
                                          .self = &self,
                                          .seed = recipe.seed,
                                          .folder = folder.path(),
                                          .checkpoint_folder = stage_folder(place),
                                          .resume = left.reuse != Reuse::Anew,
                                          .config = recipe.resolved,
                                          .calibration = recipe.calibration,
                                          .threads = options.threads,
                                          .progress = options.progress,
                                          .on_start = [&] {
                                            folder.write("config.yaml", recipe.resolved);
                                            forget_from(folder.path(), place);
                                          }});
  if (reestimates(recipe.stages[index])) {
    reestimate_batch_norm(outcome.best, recipe.data, recipe.calibration);
  }
  train::write_checkpoint(stage_file(folder.path(), place),
                          {.graph = outcome.best.clone(), .state = outcome.state});
  return outcome;
}

/// Exports and proves what a training with the strategy `quantize` gave.
void prove_training(const StageTraining& training, const TrainQuantizeConfig& config,
                    Progress& progress) {
  const auto& [stage, index, recipe, options, folder, part] = training;
  QuantizationStart start =
      load_quantization_start(folder.path() / stage_folder({.stage = index, .part = part}));
  TrainedModel model = take_trained(progress.training->best, start.plan);
  progress.graph = std::move(start.float_model);
  progress.quantization.emplace(
      prove_trained({.graph = progress.graph,
                     .data = recipe.data,
                     .calibration = recipe.calibration,
                     .stage = {.plan = config.plan, .verify = config.verify},
                     .opset = progress.opset,
                     .threads = options.threads,
                     .progress = options.progress},
                    std::move(model)));
}

void run_train_stage(const StageTraining& training, Progress& progress) {
  progress.training.emplace(train_or_reuse(training, progress.graph, progress.graph));
  if (prunes(training.stage)) {
    progress.cut.emplace(analysis::cost_table(progress.graph),
                         analysis::cost_table(progress.training->best));
  }
  if (const TrainQuantizeConfig* config = quantize_strategy(training.stage)) {
    return prove_training(training, *config, progress);
  }
  progress.graph = progress.training->best.clone();
}

/// Takes the result of an earlier run that finished this stage.
bool reuse_pruning(std::size_t index, const Recipe& recipe, const RunFolder& folder,
                   Progress& progress) {
  const std::string facts = stage_facts({.stage = index});
  Left left = look_for({.stage = index}, recipe, folder);
  const std::string plan = stage_plan({.stage = index});
  if (!left.finished || left.reuse != Reuse::Finished) return false;
  if (!folder.has(facts) || !folder.has(plan)) return false;
  base::log_info("stage {} (prune) was finished before", index);
  progress.graph = std::move(left.finished->graph);
  progress.pruning = report::parse_json(folder.read(facts), facts);
  progress.prune_plan = folder.read(plan);
  return true;
}

void run_prune_stage(const PruneStage& stage, std::size_t index, const Recipe& recipe,
                     const RunOptions& options, const RunFolder& folder, Progress& progress) {
  if (options.resume && reuse_pruning(index, recipe, folder, progress)) return;
  const FineTune fine_tune = [&](const ir::Graph& graph, std::int64_t iteration) {
    progress.training.emplace(train_or_reuse({.stage = *stage.fine_tune,
                                              .index = index,
                                              .recipe = recipe,
                                              .options = options,
                                              .folder = folder,
                                              .part = iteration},
                                             graph, progress.graph));
    return progress.training->best.clone();
  };
  PruningResult result = prune_model({.graph = progress.graph,
                                      .data = recipe.data,
                                      .calibration = recipe.calibration,
                                      .stage = stage,
                                      .opset = progress.opset,
                                      .threads = options.threads,
                                      .fine_tune = fine_tune});
  progress.prune_plan = print_prune_plan(result.plan);
  forget_from(folder.path(), {.stage = index + 1});
  folder.write(stage_plan({.stage = index}), *progress.prune_plan);
  folder.write(stage_facts({.stage = index}), report::to_text(result.facts));
  train::TrainState state;
  state.config = recipe.resolved;
  train::write_checkpoint(stage_file(folder.path(), {.stage = index}),
                          {.graph = result.graph.clone(), .state = state});
  progress.graph = std::move(result.graph);
  progress.pruning = std::move(result.facts);
}

void run_quantize_stage(const QuantizeStage& stage, std::size_t index, const Recipe& recipe,
                        const RunOptions& options, const RunFolder& folder, Progress& progress) {
  const TrainQuantized train = [&](const ir::Graph& graph) {
    progress.training.emplace(train_or_reuse({.stage = stage.qat->train,
                                              .index = index,
                                              .recipe = recipe,
                                              .options = options,
                                              .folder = folder},
                                             graph, progress.graph));
    return progress.training->best.clone();
  };
  progress.quantization.emplace(quantize_model({.graph = progress.graph,
                                                .data = recipe.data,
                                                .calibration = recipe.calibration,
                                                .stage = stage,
                                                .opset = progress.opset,
                                                .threads = options.threads,
                                                .progress = options.progress,
                                                .train = train}));
}

void check_order(const Recipe& recipe) {
  bool quantized = false;
  for (const Stage& stage : recipe.stages) {
    if (quantized && !std::holds_alternative<ExportStage>(stage)) {
      throw base::UnsupportedError(
          {.what = fmt::format("stage '{}' cannot follow 'quantize'", stage_name(stage)),
           .hint = "put 'quantize' last; only 'export' may follow it"});
    }
    const auto* training = std::get_if<TrainStage>(&stage);
    quantized = quantized || std::holds_alternative<QuantizeStage>(stage) ||
                (training != nullptr && quantize_strategy(*training) != nullptr);
  }
}

/// What can be refused before the run folder is touched.
void check_start(const Recipe& recipe, const RunOptions& options, const ir::Graph& graph) {
  for (const Stage& stage : recipe.stages) {
    const auto* training = std::get_if<TrainStage>(&stage);
    const TrainQuantizeConfig* midway =
        training == nullptr ? nullptr : quantize_strategy(*training);
    if (midway != nullptr) check_plan_options(graph, midway->plan, midway->quantizers.rules);
    const auto* quantize = std::get_if<QuantizeStage>(&stage);
    if (quantize == nullptr) continue;
    check_quantizable(graph);
    check_plan_options(
        graph, quantize->plan,
        quantize->qat ? quantize->qat->quantizers.rules : std::vector<passes::EstimatorRule>{});
  }
  if (options.resume && !std::filesystem::exists(options.output)) {
    base::log_warning("nothing to resume: there is no folder '{}'; the run starts anew",
                      options.output.string());
  }
  if (options.resume || options.overwrite || !holds_training(options.output)) return;
  throw base::UserError(
      {.what = fmt::format("the folder '{}' holds a training", options.output.string()),
       .hint = "--resume of the command that began it goes on with it, --overwrite replaces it, -o "
               "names another folder"});
}

RunFacts make_facts(const Recipe& recipe, const RunOptions& options, const Progress& progress) {
  RunFacts facts{.title = model_title(recipe.model),
                 .command = options.command,
                 .seed = recipe.seed,
                 .threads = options.threads,
                 .graph = &progress.graph};
  if (progress.quantization) facts.quantization = &*progress.quantization;
  if (progress.pruning) facts.pruning = &*progress.pruning;
  if (progress.training) {
    facts.training = progress.training->state;
    facts.training_seconds = progress.training->seconds;
    facts.cut = progress.cut;
  }
  return facts;
}

}  // namespace

RunResult run_recipe(const Recipe& recipe, const RunOptions& options) {
  check_order(recipe);
  Progress progress{.graph = load_model(recipe.model), .opset = export_opset(recipe)};
  check_start(recipe, options, progress.graph);
  const bool trains = std::ranges::any_of(
      recipe.stages, [](const Stage& stage) { return std::holds_alternative<TrainStage>(stage); });
  if (trains) passes::run(progress.graph, passes::untie_vectors());
  const RunFolder folder(options.output);
  if (options.resume && folder.has("config.yaml")) {
    log_recipe_changes(folder.read("config.yaml"), recipe);
  }
  for (std::size_t index = 0; index < recipe.stages.size(); ++index) {
    const Stage& stage = recipe.stages[index];
    base::log_info("stage {}: {}", index, stage_name(stage));
    if (const auto* training = std::get_if<TrainStage>(&stage)) {
      run_train_stage({.stage = *training,
                       .index = index,
                       .recipe = recipe,
                       .options = options,
                       .folder = folder},
                      progress);
    } else if (const auto* prune = std::get_if<PruneStage>(&stage)) {
      run_prune_stage(*prune, index, recipe, options, folder, progress);
    } else if (const auto* quantize = std::get_if<QuantizeStage>(&stage)) {
      run_quantize_stage(*quantize, index, recipe, options, folder, progress);
    }
  }
  std::map<std::string, std::string> files{{"config.yaml", recipe.resolved}};
  files["model.onnx"] = onnx::encode(progress.graph, {.opset = progress.opset});
  if (progress.quantization) {
    files["float.onnx"] =
        std::exchange(files["model.onnx"], progress.quantization->quantized_model);
    files["plan.yaml"] = print_plan(progress.quantization->plan);
  }
  if (progress.prune_plan) files["prune_plan.yaml"] = *progress.prune_plan;
  RunResult result;
  result.report = report_json(make_facts(recipe, options, progress));
  result.passed = (!progress.quantization || progress.quantization->verification.passed()) &&
                  (!progress.pruning || pruning_passed(*progress.pruning));
  result.text = report_text(result.report);
  files["report.json"] = report::to_text(result.report) + "\n";
  files["report.html"] = report::render_html(report_page(result.report));
  if (options.overwrite && !progress.training) forget_all(folder.path());
  folder.write_all(files);
  for (const char* name : {"float.onnx", "plan.yaml", "prune_plan.yaml"}) {
    if (!files.contains(name)) std::filesystem::remove(folder.path() / name);
  }
  folder.forget_epoch_files(epoch_files(recipe));
  return result;
}

}  // namespace espalier::recipe
