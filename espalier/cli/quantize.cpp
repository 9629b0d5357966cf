#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/cli/arguments.h"
#include "espalier/cli/commands.h"
#include "espalier/quant/range_method.h"
#include "espalier/quant/target.h"
#include "espalier/recipe/job_yaml.h"
#include "espalier/recipe/run.h"
#include "espalier/recipe/run_folder.h"

namespace espalier::cli {
namespace {

struct QuantizeArguments {
  std::filesystem::path model;
  std::filesystem::path output;
  DataArguments data;
  recipe::CalibrationConfig calibration;
  recipe::QuantizeStage stage;
  int opset = 17;
  bool per_tensor = false;
  bool symmetric = false;
  bool no_bias_correction = false;
  bool no_rounding = false;
  bool overwrite = false;
};

std::vector<std::string> method_names() {
  std::vector<std::string> names = quant::range_method_names();
  names.insert(names.begin(), "auto");
  return names;
}

void add_plan_options(CLI::App& app, QuantizeArguments& arguments) {
  quant::PlanOptions& plan = arguments.stage.plan;
  app.add_option("--target", plan.target, "Engine the file is for")
      ->check(CLI::IsMember(quant::target_names()))
      ->capture_default_str();
  app.add_option("--method", plan.method, "Range method of activations")
      ->check(CLI::IsMember(method_names()))
      ->capture_default_str();
  app.add_option("--weight-method", plan.weight_method, "Range method of weights")
      ->check(CLI::IsMember({"mse", "abs_max"}))
      ->capture_default_str();
  app.add_option("--percentile", plan.percentile, "Percent kept by method 'percentile'")
      ->check(number_between(51.0, 100.0));
  app.add_option("--skip", plan.skip, "Glob of node names or operators that stay float");
  app.add_flag("--reduce-range", plan.reduce_range, "7-bit weights, for CPUs without VNNI");
  app.add_flag("--per-tensor", arguments.per_tensor, "One scale for a whole weight");
  app.add_flag("--symmetric", arguments.symmetric, "Symmetric activations");
  app.add_flag("--no-bias-correction", arguments.no_bias_correction, "Leave biases as they are");
  app.add_flag("--no-rounding", arguments.no_rounding, "Round every weight to the nearest code");
}

Outcome run_quantize(const QuantizeArguments& arguments, const CommonOptions& common,
                     bool percentile_given) {
  const std::string& method = arguments.stage.plan.method;
  if (percentile_given && method != "percentile" && method != "auto") {
    throw base::UserError({.what = "--percentile has no effect",
                           .got = fmt::format("--method {}", method),
                           .expected = "--method percentile or auto"});
  }
  recipe::Recipe job;
  job.seed = common.seed;
  job.model.source = recipe::ModelFile{.path = recipe::trained_model(arguments.model)};
  job.data = arguments.data.open(arguments.model);
  job.calibration = arguments.calibration;
  job.calibration.seed = common.seed;
  recipe::QuantizeStage stage = arguments.stage;
  if (arguments.per_tensor) stage.plan.per_channel = false;
  if (arguments.symmetric) stage.plan.symmetric = true;
  stage.bias_correction = !arguments.no_bias_correction;
  stage.rounding = !arguments.no_rounding;
  job.stages = {stage, recipe::ExportStage{.opset = arguments.opset}};
  job.resolved = "# " + common.line + "\n" + recipe::print_job(job, arguments.data.data);
  const recipe::RunResult result = recipe::run_recipe(job, {.output = arguments.output,
                                                            .overwrite = arguments.overwrite,
                                                            .threads = common.threads,
                                                            .command = common.line,
                                                            .progress = progress_style(common)});
  return outcome_of(result, arguments.output, common);
}

}  // namespace

RunCommand add_quantize(CLI::App& app) {
  auto arguments = std::make_shared<QuantizeArguments>();
  app.add_option("model", arguments->model,
                 "ONNX file, checkpoint, or run folder (its float model)")
      ->required();
  arguments->data.add_to(app, true);
  app.add_option("-o,--output", arguments->output, "Run folder")->required();
  app.add_flag("--overwrite", arguments->overwrite, "Replace the training that the folder holds");
  app.add_option("--samples", arguments->calibration.samples, "Calibration images")
      ->check(CLI::Range(1, 100'000'000))
      ->capture_default_str();
  app.add_option("--micro-batch", arguments->calibration.micro_batch, "Images run together")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--opset", arguments->opset, "ONNX operator set of the file")
      ->check(CLI::Range(13, 23))
      ->capture_default_str();
  add_plan_options(app, *arguments);
  recipe::VerifyConfig& verify = arguments->stage.verify;
  add_verify_bounds(app, verify);
  app.add_option("--verify-samples", verify.samples, "Judging images (0: all)")
      ->check(CLI::Range(0, 1'000'000'000))
      ->capture_default_str();
  return [arguments, &app](const CommonOptions& common) {
    return run_quantize(*arguments, common, app.get_option("--percentile")->count() > 0);
  };
}

}  // namespace espalier::cli
