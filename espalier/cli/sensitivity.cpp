#include "espalier/recipe/sensitivity.h"

#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"
#include "espalier/cli/arguments.h"
#include "espalier/cli/commands.h"
#include "espalier/process/child.h"
#include "espalier/prune/criterion.h"
#include "espalier/recipe/run_folder.h"
#include "espalier/recipe/sensitivity_ratios.h"
#include "espalier/recipe/sensitivity_report.h"

namespace espalier::cli {
namespace {

constexpr double kDefaultMaxLoss = 5;

/// Options of the measurement itself.
struct Measuring {
  DataArguments data;
  recipe::SensitivityRequest request;
  std::string metric = "top1";
  double max_loss = kDefaultMaxLoss;
  bool exact = false;
  std::uint64_t cache_mb = 1024;
  bool serve = false;                            ///< this process is a worker
  const CLI::Option* max_loss_option = nullptr;  ///< owned by the command
};

struct Merging {
  std::vector<std::filesystem::path> files;
  std::filesystem::path output;
  bool overwrite = false;
};

struct Choosing {
  std::filesystem::path file;
  std::filesystem::path model;
  double loss = 0;
  double macs = 0;
  std::int64_t align = 1;
  std::optional<std::int64_t> image_size = std::nullopt;
  const CLI::Option* loss_option = nullptr;  ///< owned by the command
  const CLI::Option* macs_option = nullptr;
  const CLI::Option* align_option = nullptr;
  const CLI::Option* size_option = nullptr;
};

struct SensitivityArguments {
  Measuring measuring;
  Merging merging;
  Choosing choosing;
  const CLI::App* merge = nullptr;  ///< owned by the command
  const CLI::App* ratios = nullptr;
};

/// The words of a command line that measures the same.
std::vector<std::string> measuring_words(const Measuring& measuring, const CommonOptions& common) {
  const recipe::SensitivityRequest& request = measuring.request;
  std::vector<std::string> words{
      "sensitivity",     request.model.string(),
      "--data",          measuring.data.data.string(),
      "--criterion",     request.trials.scores.criterion,
      "--ratios",        fmt::format("{}", fmt::join(request.trials.ratios, ",")),
      "--samples",       fmt::to_string(request.samples),
      "--metric",        measuring.metric,
      "--reestimate-bn", fmt::to_string(request.reestimate_bn),
      "--seed",          fmt::to_string(common.seed)};
  for (const std::string& group : request.trials.groups) {
    words.insert(words.end(), {"--groups", group});
  }
  for (const CLI::Option* option : measuring.data.only_for_folders) {
    if (option->count() == 0) continue;
    words.insert(words.end(),
                 {option->get_name(), fmt::format("{}", fmt::join(option->results(), ","))});
  }
  if (request.meter.max_loss) {
    words.insert(words.end(), {"--max-loss", fmt::to_string(*request.meter.max_loss)});
  } else {
    words.emplace_back("--exact");
  }
  return words;
}

recipe::SensitivityRequest to_request(const Measuring& measuring, const CommonOptions& common) {
  recipe::SensitivityRequest request = measuring.request;
  request.model = recipe::trained_model(request.model);
  request.data = measuring.data.open(request.model);
  request.seed = common.seed;
  request.trials.scores.seed = common.seed;
  request.meter.metric = recipe::parse_sensitivity_metric(measuring.metric);
  request.meter.cache_bytes = measuring.cache_mb << 20;
  request.meter.threads = common.threads;
  // Five points mean nothing to a divergence: it is bounded only on request.
  const bool bounded = measuring.max_loss_option->count() > 0 ||
                       request.meter.metric == recipe::SensitivityMetric::Top1;
  if (bounded && !measuring.exact) request.meter.max_loss = measuring.max_loss;
  request.progress = progress_style(common);
  return request;
}

Outcome measure(const Measuring& measuring, const CommonOptions& common) {
  if (measuring.request.model.empty()) {
    throw base::UserError({.what = "no model",
                           .expected = "espalier sensitivity MODEL --data DATA",
                           .hint = "or one of the commands merge, ratios"});
  }
  if (measuring.data.data.empty()) {
    throw base::UserError({.what = "no images to measure on", .expected = "--data DATA"});
  }
  recipe::SensitivityRequest request = to_request(measuring, common);
  if (measuring.serve) {
    recipe::serve_sensitivity(request, std::cin, std::cout);
    return {};
  }
  Measuring shown = measuring;
  shown.request = request;
  std::vector<std::string> words = measuring_words(shown, common);
  if (request.workers > 1) {
    request.worker_command = words;
    request.worker_command.insert(request.worker_command.begin(), process::own_program().string());
    const std::vector<std::string> more{
        "--threads",  fmt::to_string(std::max(1, common.threads / request.workers)),
        "--cache-mb", fmt::to_string(measuring.cache_mb),
        "--serve",    "-q"};
    request.worker_command.insert(request.worker_command.end(), more.begin(), more.end());
  }
  const recipe::SensitivityResult result = recipe::analyse_sensitivity(request);
  words.insert(words.end(), {"-o", request.output.string()});
  recipe::write_sensitivity_report(result, command_line(words), request.output);
  if (common.verbosity >= 0) {
    fmt::print("{}", recipe::to_text(result));
    for (const recipe::UntouchedGroup& group : result.untouched) {
      fmt::print("not measured: {} ({})\n", group.group, group.reason);
    }
    fmt::print("{} points measured, {} in '{}', {:.1f} s\n", result.measured,
               result.store.points.size(), request.output.string(), result.seconds);
    if (result.cost > 0) {
      fmt::print("CPU time of a point: {:.2f} of an evaluation of the unpruned model\n",
                 result.cost);
    }
  }
  return {.json = report::to_text(recipe::to_json(result), -1)};
}

Outcome merge(const Merging& merging, const CommonOptions& common) {
  const bool is_input = std::ranges::find(merging.files, merging.output) != merging.files.end();
  if (std::filesystem::exists(merging.output) && !is_input && !merging.overwrite) {
    throw base::UserError({.what = "the file to write exists",
                           .got = fmt::format("'{}'", merging.output.string()),
                           .hint = "--overwrite replaces it"});
  }
  const recipe::SensitivityStore store = recipe::merge_sensitivities(merging.files);
  base::write_file_atomic(merging.output, recipe::to_text(store));
  if (common.verbosity >= 0) {
    fmt::print("{} points in '{}'\n", store.points.size(), merging.output.string());
  }
  return {.json = report::to_text(
              report::Json::object({{"points", static_cast<std::int64_t>(store.points.size())},
                                    {"output", merging.output.string()}}),
              -1)};
}

Outcome choose(const Choosing& choosing, const CommonOptions& common) {
  const bool by_loss = choosing.loss_option->count() > 0;
  const bool by_macs = choosing.macs_option->count() > 0;
  if (by_loss == by_macs) {
    throw base::UserError({.what = "ratios for what",
                           .got = by_loss ? "both --loss and --target-macs" : "nothing",
                           .expected = "either --loss LOSS, or --target-macs SHARE MODEL"});
  }
  if (by_macs && choosing.model.empty()) {
    throw base::UserError({.what = "--target-macs needs the model, to count its MACs",
                           .expected = "espalier sensitivity ratios FILE.csv MODEL.onnx"});
  }
  if (by_loss && (!choosing.model.empty() || choosing.align_option->count() > 0 ||
                  choosing.size_option->count() > 0)) {
    throw base::UserError({.what = "--loss reads the curves alone",
                           .got = "a model, --align or --image-size",
                           .hint = "they belong to --target-macs; espalier prune --max-loss cuts a "
                                   "model to a loss in aligned widths"});
  }
  const recipe::SensitivityStore store = recipe::load_sensitivities(choosing.file);
  if (by_loss && store.header.metric == "top1" && choosing.loss > 0 && choosing.loss < 0.1) {
    base::log_warning("--loss {} is {} points of top-1: for {} % of the images say --loss {}",
                      choosing.loss, choosing.loss, 100 * choosing.loss, 100 * choosing.loss);
  }
  const recipe::SensitivityRatios ratios =
      by_loss ? recipe::ratios_for_loss(store, choosing.loss)
              : recipe::ratios_for_cost(store, {.model = choosing.model,
                                                .remaining = choosing.macs,
                                                .align = choosing.align,
                                                .image_size = choosing.image_size});
  if (common.verbosity >= 0) fmt::print("{}", recipe::to_text(ratios));
  if (!ratios.reached) base::log_warning("{}", ratios.reason);
  return {.code = ratios.reached ? base::ExitCode::Ok : base::ExitCode::FailedCheck,
          .json = report::to_text(recipe::to_json(ratios), -1)};
}

void add_measuring(CLI::App& app, Measuring& measuring) {
  recipe::SensitivityRequest& request = measuring.request;
  app.add_option("model", request.model, "ONNX file, checkpoint, or run folder (its float model)");
  measuring.data.add_to(app, false);
  app.add_option("--criterion", request.trials.scores.criterion,
                 "Which channels of a group go first")
      ->check(CLI::IsMember(prune::criterion_names()))
      ->capture_default_str();
  app.add_option("--ratios", request.trials.ratios, "Shares of a group's channels to remove")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--groups", request.trials.groups, "Only groups of these names (globs)");
  app.add_option("--samples", request.samples, "Images, drawn by the seed")
      ->check(CLI::Range(2, 1'000'000'000))
      ->capture_default_str();
  app.add_option("--metric", measuring.metric, "What the loss is taken of")
      ->check(CLI::IsMember({"top1", "divergence"}))
      ->capture_default_str();
  measuring.max_loss_option =
      app.add_option("--max-loss", measuring.max_loss,
                     "Stop a point whose loss is surely larger (default: 5 points of top-1)")
          ->check(CLI::NonNegativeNumber);
  app.add_flag("--exact", measuring.exact, "Measure every point on all images")
      ->excludes(const_cast<CLI::Option*>(measuring.max_loss_option));
  app.add_option("--workers", request.workers, "Processes that measure")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--cache-mb", measuring.cache_mb, "MiB of activations that a process holds")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  app.add_option("--reestimate-bn", request.reestimate_bn,
                 "Renew BatchNormalization on so many further images after each cut")
      ->check(CLI::Range(0, 1'000'000'000))
      ->capture_default_str();
  app.add_option("-o,--output", request.output, "The CSV file; report and JSON lie beside it")
      ->capture_default_str();
  app.add_flag("--resume", request.resume, "Go on with an existing file");
  app.add_flag("--serve", measuring.serve, "Measure for a parent process")->group("");
}

CLI::App* add_merging(CLI::App& app, Merging& merging) {
  CLI::App* merge = app.add_subcommand("merge", "Unite files of one measurement");
  merge->add_option("files", merging.files, "CSV files")->required();
  merge->add_option("-o,--output", merging.output, "The united CSV file")->required();
  merge->add_flag("--overwrite", merging.overwrite, "Replace it where it exists");
  return merge->fallthrough();
}

CLI::App* add_choosing(CLI::App& app, Choosing& choosing) {
  CLI::App* ratios = app.add_subcommand("ratios", "A share for every group, from measured curves");
  ratios->add_option("file", choosing.file, "CSV file")->required();
  ratios->add_option("model", choosing.model, "The model, for --target-macs");
  choosing.loss_option = ratios->add_option(
      "--loss", choosing.loss, "Loss that each group may cause: points of top-1, or divergence");
  choosing.macs_option =
      ratios->add_option("--target-macs", choosing.macs, "Share of the MACs that remains");
  choosing.align_option =
      ratios->add_option("--align", choosing.align, "Channels that are left are a multiple")
          ->check(CLI::Range(1, 4096))
          ->capture_default_str();
  choosing.size_option = ratios
                             ->add_option("--image-size", choosing.image_size,
                                          "Height and width where the model leaves them open "
                                          "(default: 224)")
                             ->check(CLI::Range(1, 65536));
  return ratios->fallthrough();
}

}  // namespace

RunCommand add_sensitivity(CLI::App& app) {
  auto arguments = std::make_shared<SensitivityArguments>();
  add_measuring(app, arguments->measuring);
  arguments->merge = add_merging(app, arguments->merging);
  arguments->ratios = add_choosing(app, arguments->choosing);
  app.require_subcommand(0, 1);
  return [arguments](const CommonOptions& common) {
    if (arguments->merge->parsed()) return merge(arguments->merging, common);
    if (arguments->ratios->parsed()) return choose(arguments->choosing, common);
    return measure(arguments->measuring, common);
  };
}

}  // namespace espalier::cli
