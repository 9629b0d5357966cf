#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/cli/arguments.h"
#include "espalier/cli/commands.h"
#include "espalier/deploy/engine.h"
#include "espalier/recipe/run_folder.h"
#include "espalier/recipe/verification.h"

namespace espalier::cli {
namespace {

struct VerifyArguments {
  DataArguments data;
  recipe::VerificationRequest request;
};

Outcome run_verify(const VerifyArguments& arguments, const CommonOptions& common) {
  recipe::VerificationRequest request = arguments.request;
  request.quantized = recipe::shipped_model(request.quantized);
  request.original = recipe::trained_model(request.original);
  request.data = arguments.data.open(request.original);
  request.seed = common.seed;
  request.threads = common.threads;
  request.progress = progress_style(common);
  const recipe::VerificationOutcome outcome = recipe::verify_files(request);
  if (common.verbosity >= 0) fmt::print("{}", outcome.text);
  return judged(outcome.passed, outcome.json, common);
}

}  // namespace

RunCommand add_verify(CLI::App& app) {
  auto arguments = std::make_shared<VerifyArguments>();
  recipe::VerificationRequest& request = arguments->request;
  app.add_option("model", request.quantized, "INT8 ONNX file, or run folder")->required();
  app.add_option("--float", request.original, "The float model it was made from")->required();
  arguments->data.add_to(app, true);
  recipe::VerifyConfig& config = request.config;
  app.add_option("--engine", config.engines, "Engines (default: all)")
      ->check(CLI::IsMember(deploy::engine_names()));
  add_verify_bounds(app, config);
  app.add_option("--samples", config.samples, "Images at most, drawn by the seed (0: all)")
      ->check(CLI::Range(0, 1'000'000'000));
  return [arguments](const CommonOptions& common) { return run_verify(*arguments, common); };
}

}  // namespace espalier::cli
