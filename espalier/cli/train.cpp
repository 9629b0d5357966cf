#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/cli/arguments.h"
#include "espalier/cli/commands.h"
#include "espalier/recipe/run.h"

namespace espalier::cli {
namespace {

struct TrainArguments {
  std::filesystem::path recipe;
  std::vector<std::string> overrides;
  std::filesystem::path output;
  bool resume = false;
  bool overwrite = false;
};

Outcome run_train(const TrainArguments& arguments, const CommonOptions& common, bool seed_given) {
  std::vector<std::string> overrides = arguments.overrides;
  if (seed_given) overrides.push_back(fmt::format("seed={}", common.seed));
  const recipe::Recipe job = recipe::load_recipe(arguments.recipe, overrides);
  const std::filesystem::path output = arguments.output.empty() ? job.output : arguments.output;
  const recipe::RunResult result = recipe::run_recipe(job, {.output = output,
                                                            .resume = arguments.resume,
                                                            .overwrite = arguments.overwrite,
                                                            .threads = common.threads,
                                                            .command = common.line,
                                                            .progress = progress_style(common)});
  return outcome_of(result, output, common);
}

}  // namespace

RunCommand add_train(CLI::App& app) {
  auto arguments = std::make_shared<TrainArguments>();
  app.add_option("-c,--config", arguments->recipe, "Recipe (YAML)")->required();
  app.add_option("--set", arguments->overrides, "Override, e.g. stages.0.train.epochs=3");
  app.add_option("-o,--output", arguments->output, "Run folder (default: the recipe's)");
  CLI::Option* resume = app.add_flag("--resume", arguments->resume, "Go on from the run folder");
  app.add_flag("--overwrite", arguments->overwrite, "Replace the training that the folder holds")
      ->excludes(resume);
  return [arguments, &app](const CommonOptions& common) {
    return run_train(*arguments, common, app.get_option("--seed")->count() > 0);
  };
}

}  // namespace espalier::cli
