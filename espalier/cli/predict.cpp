#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/cli/arguments.h"
#include "espalier/cli/commands.h"
#include "espalier/deploy/engine.h"
#include "espalier/recipe/prediction.h"

namespace espalier::cli {
namespace {

struct PredictArguments {
  DataArguments data;
  recipe::PredictionRequest request;
};

Outcome run_predict(const PredictArguments& arguments, const CommonOptions& common) {
  recipe::PredictionRequest request = arguments.request;
  if (!arguments.data.data.empty()) request.data = arguments.data.open(request.model);
  request.folder = arguments.data.folder_options();
  request.threads = common.threads;
  request.progress = progress_style(common);
  const std::vector<recipe::Prediction> predictions = recipe::predict_images(request);
  if (common.verbosity >= 0) fmt::print("{}", recipe::to_text(predictions));
  return {.json = report::to_text(recipe::to_json(predictions), -1)};
}

}  // namespace

RunCommand add_predict(CLI::App& app) {
  auto arguments = std::make_shared<PredictArguments>();
  recipe::PredictionRequest& request = arguments->request;
  app.add_option("model", request.model, "ONNX file, checkpoint, or run folder")->required();
  app.add_option("images", request.images,
                 "Image files and folders (default: the evaluation images of --data)");
  arguments->data.add_to(app, false);
  app.add_option("--top", request.top, "Classes an image")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--class-names", request.class_names, "Names of classes, one a line");
  std::vector<std::string> engines = deploy::engine_names();
  engines.insert(engines.begin(), "espalier");
  app.add_option("--engine", request.engine, "What runs the model")
      ->check(CLI::IsMember(engines))
      ->capture_default_str();
  app.add_option("--batch", request.batch_size, "Images a batch")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--samples", request.samples, "The first images only (0: all)")
      ->check(CLI::Range(0, 1'000'000'000));
  return [arguments, &app](const CommonOptions& common) {
    check_batch(app, arguments->request.model, arguments->request.batch_size);
    return run_predict(*arguments, common);
  };
}

}  // namespace espalier::cli
