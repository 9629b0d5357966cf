#include <array>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/cli/arguments.h"
#include "espalier/cli/commands.h"
#include "espalier/prune/criterion.h"
#include "espalier/recipe/job_yaml.h"
#include "espalier/recipe/prune_yaml.h"
#include "espalier/recipe/run.h"
#include "espalier/recipe/run_folder.h"

namespace espalier::cli {
namespace {

/// A share that stays, or (removed) one that goes, as it was typed.
struct Target {
  std::string_view option;
  std::string_view help;
  prune::BudgetKind kind;
  bool removed = false;
  std::optional<double> share = std::nullopt;
};

struct PruneArguments {
  bool overwrite = false;
  bool resume = false;
  std::filesystem::path model;
  std::filesystem::path output;
  DataArguments data;
  recipe::CalibrationConfig calibration;
  recipe::PruneStage stage;
  std::array<Target, 4> targets{
      Target{"--target-macs", "Share of the MACs that stays", prune::BudgetKind::Macs},
      Target{"--target-params", "Share of the parameters that stays",
             prune::BudgetKind::Parameters},
      Target{"--target-bytes", "Share of the bytes that stays", prune::BudgetKind::Bytes},
      Target{"--filters-ratio", "Share of the filters that goes (PaddleClas: pruned_ratio)",
             prune::BudgetKind::Filters, true}};
  std::string reduction = "mean";
  std::string scaling = "group_mean";
  std::string strategy = "uniform";
  const CLI::Option* strategy_option = nullptr;  ///< owned by the command
  bool keep_first = false;
  bool keep_last = false;
  bool reestimate = false;
  bool no_reestimate = false;
  bool reconstruct = false;
  bool no_reconstruct = false;
  std::int64_t epochs = 0;
  double lr = 0.01;
  int opset = 17;
};

/// The one budget that was given.
void read_budget(const PruneArguments& arguments, recipe::PruneStage& stage) {
  std::string given;
  const auto take = [&](std::string_view option) {
    if (!given.empty()) {
      throw base::UserError(
          {.what = "one budget is enough", .got = fmt::format("{} and {}", given, option)});
    }
    given = option;
  };
  for (const Target& target : arguments.targets) {
    if (!target.share) continue;
    take(target.option);
    const double remaining = target.removed ? 1 - *target.share : *target.share;
    if (!(remaining > 0 && remaining <= 1)) {
      throw base::UserError({.what = fmt::format("bad value of {}", target.option),
                             .got = fmt::format("{}", *target.share),
                             .expected = target.removed ? "a share that goes, in [0, 1)"
                                                        : "a share that stays, in (0, 1]"});
    }
    stage.budget.kind = target.kind;
    stage.budget.remaining = remaining;
  }
  if (stage.max_loss) take("--max-loss");
  if (!stage.plan.empty()) take("--plan");
  if (!given.empty()) return;
  throw base::UserError({.what = "how much is to be pruned?",
                         .expected = "one of --target-macs, --target-params, --target-bytes, "
                                     "--filters-ratio, --max-loss, --plan",
                         .hint = "--target-macs 0.5 keeps half of the multiplications"});
}

std::optional<bool> choice(bool on, bool off) {
  if (on) return true;
  return off ? std::optional(false) : std::nullopt;
}

recipe::PruneStage make_stage(const PruneArguments& arguments, std::uint64_t seed) {
  recipe::PruneStage stage = arguments.stage;
  read_budget(arguments, stage);
  static_cast<void>(prune::find_criterion(stage.scores.criterion));
  stage.scores.reduction = prune::parse_reduction(arguments.reduction);
  stage.scores.scaling = prune::parse_scaling(arguments.scaling);
  stage.budget.strategy = prune::parse_strategy(arguments.strategy);
  const bool by_curves = stage.budget.strategy == prune::Strategy::Sensitivity;
  if (stage.max_loss && !by_curves && arguments.strategy_option->count() > 0) {
    throw base::UserError(
        {.what = "a largest loss goes by sensitivity curves",
         .got = fmt::format("--strategy {} beside --max-loss", arguments.strategy),
         .hint = "leave --strategy out"});
  }
  stage.scores.seed = stage.budget.annealing.seed = seed;
  stage.budget.limits.cut_first = !arguments.keep_first;
  stage.budget.limits.cut_last = !arguments.keep_last;
  stage.reestimate_norms = choice(arguments.reestimate, arguments.no_reestimate);
  stage.reconstruct = choice(arguments.reconstruct, arguments.no_reconstruct);
  if (arguments.epochs > 0) {
    stage.fine_tune.emplace();
    stage.fine_tune->options.epochs = arguments.epochs;
    stage.fine_tune->options.seed = seed;
    stage.fine_tune->options.schedule.shape = train::CosineSchedule{.lr = arguments.lr};
  }
  recipe::check_prune_stage(stage);
  return stage;
}

Outcome run_prune(const PruneArguments& arguments, const CommonOptions& common) {
  recipe::Recipe job;
  job.seed = common.seed;
  job.model.source = recipe::ModelFile{.path = recipe::trained_model(arguments.model)};
  if (!arguments.data.data.empty()) job.data = arguments.data.open(arguments.model);
  job.calibration = arguments.calibration;
  job.calibration.seed = common.seed;
  job.stages = {make_stage(arguments, common.seed), recipe::ExportStage{.opset = arguments.opset}};
  job.resolved = "# " + common.line + "\n" + recipe::print_job(job, arguments.data.data);
  const recipe::RunResult result = recipe::run_recipe(job, {.output = arguments.output,
                                                            .resume = arguments.resume,
                                                            .overwrite = arguments.overwrite,
                                                            .threads = common.threads,
                                                            .command = common.line,
                                                            .progress = progress_style(common)});
  return outcome_of(result, arguments.output, common);
}

void add_choice_options(CLI::App& app, PruneArguments& arguments) {
  recipe::PruneStage& stage = arguments.stage;
  for (Target& target : arguments.targets) {
    app.add_option(std::string(target.option), target.share, std::string(target.help));
  }
  app.add_option("--plan", stage.plan, "Cut what this plan says (prune_plan.yaml)");
  app.add_option("--max-loss", stage.max_loss, "Points that no group may cost alone, by its curve")
      ->check(number_between(0.0, 100.0));
  app.add_option("--sensitivities", stage.sensitivities, "What `espalier sensitivity` measured");
  app.add_option("--criterion", stage.scores.criterion, "Which filters matter least")
      ->check(CLI::IsMember(prune::criterion_names()))
      ->capture_default_str();
  arguments.strategy_option =
      app.add_option("--strategy", arguments.strategy, "uniform, global, sensitivity, annealing")
          ->capture_default_str();
  app.add_option("--reduction", arguments.reduction, "mean, max, norm, first")
      ->capture_default_str();
  app.add_option("--scaling", arguments.scaling,
                 "none, group_mean, group_max, group_norm, global_mean")
      ->capture_default_str();
  prune::Limits& limits = stage.budget.limits;
  app.add_option("--align", limits.align, "Layers keep a multiple of this many channels")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--min-width", limits.min_width, "Channels that a layer keeps at least")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--max-removed", limits.max_removed, "Share that a group loses at most, below 1")
      ->capture_default_str();
  app.add_option("--skip", limits.skip, "Glob of layers or weights to leave alone");
  app.add_flag("--keep-first", arguments.keep_first, "Leave the first layer alone");
  app.add_flag("--keep-last", arguments.keep_last, "Leave the last layer alone");
}

void add_mending_options(CLI::App& app, PruneArguments& arguments) {
  recipe::PruneStage& stage = arguments.stage;
  const auto pair = [&](const std::string& name, const std::string& help, bool& on, bool& off) {
    CLI::Option* yes = app.add_flag("--" + name, on, help);
    app.add_flag("--no-" + name, off, "Do not")->excludes(yes);
  };
  pair("reestimate-bn", "Re-estimate batch normalizations (default with --data)",
       arguments.reestimate, arguments.no_reestimate);
  pair("reconstruct",
       "Fit the weights behind a cut by least squares (default with --data and without --epochs)",
       arguments.reconstruct, arguments.no_reconstruct);
  app.add_option("--iterations", stage.iterations, "Cuts on the way to the budget")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  CLI::Option* epochs =
      app.add_option("--epochs", arguments.epochs, "Epochs of fine-tuning after each cut")
          ->check(CLI::Range(0, 1'000'000))
          ->capture_default_str();
  app.add_option("--lr", arguments.lr, "First learning rate of the fine-tuning")
      ->check(number_between(1e-9, 1e3))
      ->needs(epochs)
      ->capture_default_str();
  app.add_flag("--mask", stage.mask, "Mask channels instead of cutting them");
  app.add_flag("--check", stage.check, "Prove the cut against the masked model");
  app.add_option(
         "--image-size", stage.image_size,
         "Height and width where the model leaves them open and there is no --data (default: "
         "224)")
      ->check(CLI::Range(1, 65536));
}

}  // namespace

RunCommand add_prune(CLI::App& app) {
  auto arguments = std::make_shared<PruneArguments>();
  app.add_option("model", arguments->model,
                 "ONNX file, checkpoint, or run folder (its float model)")
      ->required();
  arguments->data.add_to(app, false);
  app.add_option("-o,--output", arguments->output, "Run folder")->required();
  CLI::Option* resume =
      app.add_flag("--resume", arguments->resume, "Go on with an interrupted fine-tuning");
  app.add_flag("--overwrite", arguments->overwrite, "Replace what the folder holds")
      ->excludes(resume);
  add_choice_options(app, *arguments);
  add_mending_options(app, *arguments);
  app.add_option("--samples", arguments->calibration.samples, "Images that mending looks at")
      ->check(CLI::Range(1, 100'000'000))
      ->needs(app.get_option("--data"))
      ->capture_default_str();
  app.add_option("--opset", arguments->opset, "ONNX operator set of the file")
      ->check(CLI::Range(13, 23))
      ->capture_default_str();
  recipe::VerifyConfig& verify = arguments->stage.verify;
  app.add_option("--engine", verify.engines, "Engines that run the pruned file")
      ->capture_default_str();
  app.add_option("--latency-rounds", verify.latency_rounds, "Rounds of timing (0: none)")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--verify-samples", verify.samples, "Judging images (0: all)")
      ->check(CLI::Range(0, 1'000'000'000))
      ->capture_default_str();
  return [arguments](const CommonOptions& common) { return run_prune(*arguments, common); };
}

}  // namespace espalier::cli
