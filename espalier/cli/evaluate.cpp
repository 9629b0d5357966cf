#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/cli/arguments.h"
#include "espalier/cli/commands.h"
#include "espalier/deploy/engine.h"
#include "espalier/recipe/evaluation.h"
#include "espalier/recipe/run_folder.h"

namespace espalier::cli {
namespace {

struct EvaluateArguments {
  DataArguments data;
  recipe::EvaluationRequest request;
};

void print(const recipe::EvaluationResult& result) {
  for (const auto& [name, value] : result.metrics) fmt::print("{}: {:.2f} %\n", name, value);
  const std::string skipped =
      result.skipped == 0 ? "" : fmt::format(" ({} left out)", result.skipped);
  fmt::print("images: {}{}, {:.1f} s\n", result.images, skipped, result.seconds);
  if (result.comparison) {
    fmt::print("different predictions: {} (widest tie {:.2e}), worst output difference {:.2e}\n",
               result.comparison->different, result.comparison->widest_tie,
               result.comparison->worst_difference);
  }
}

Outcome run_evaluate(const EvaluateArguments& arguments, const CommonOptions& common) {
  recipe::EvaluationRequest request = arguments.request;
  request.model = recipe::shipped_model(request.model);
  request.data = arguments.data.open(request.model);
  request.seed = common.seed;
  request.threads = common.threads;
  request.progress = progress_style(common);
  const recipe::EvaluationResult result = recipe::evaluate_model(request);
  if (common.verbosity >= 0) print(result);
  return {.json = report::to_text(recipe::to_json(result), -1)};
}

}  // namespace

RunCommand add_evaluate(CLI::App& app) {
  auto arguments = std::make_shared<EvaluateArguments>();
  recipe::EvaluationRequest& request = arguments->request;
  app.add_option("model", request.model, "ONNX file, checkpoint, or run folder")->required();
  arguments->data.add_to(app, true);
  std::vector<std::string> engines = deploy::engine_names();
  engines.insert(engines.begin(), "espalier");
  app.add_option("--engine", request.engine, "What runs the model")
      ->check(CLI::IsMember(engines))
      ->capture_default_str();
  app.add_option("--compare", request.compare, "Also run here and count different predictions")
      ->check(CLI::IsMember(engines));
  app.add_option("--batch", request.batch_size, "Images a batch")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--samples", request.samples, "Images at most, drawn by the seed (0: all)")
      ->check(CLI::Range(0, 1'000'000'000));
  return [arguments, &app](const CommonOptions& common) {
    check_batch(app, arguments->request.model, arguments->request.batch_size);
    return run_evaluate(*arguments, common);
  };
}

}  // namespace espalier::cli
