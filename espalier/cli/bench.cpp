#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/cli/arguments.h"
#include "espalier/cli/commands.h"
#include "espalier/deploy/engine.h"
#include "espalier/recipe/run_folder.h"
#include "espalier/recipe/timing.h"

namespace espalier::cli {

RunCommand add_bench(CLI::App& app) {
  auto request = std::make_shared<recipe::TimingRequest>();
  app.add_option("models", request->models,
                 "ONNX files, checkpoints or run folders; the first is the reference")
      ->required();
  app.add_option("--engine", request->engines, "Engines (default: all)")
      ->check(CLI::IsMember(deploy::engine_names()));
  app.add_option("--rounds", request->rounds, "Timed rounds")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--batch", request->batch, "Images a run")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--size", request->unknown_size,
                 "Height and width where the model leaves them open")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  return [request, &app](const CommonOptions& common) {
    for (std::filesystem::path& model : request->models) {
      model = recipe::shipped_model(model);
      check_batch(app, model, request->batch);
    }
    request->threads = common.threads;
    request->seed = common.seed;
    const report::Json json = recipe::time_models(*request);
    if (common.verbosity >= 0) fmt::print("{}", recipe::timing_text(json));
    return Outcome{.json = report::to_text(json, -1)};
  };
}

}  // namespace espalier::cli
