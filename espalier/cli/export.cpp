#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/cli/commands.h"
#include "espalier/quant/target.h"
#include "espalier/recipe/exporting.h"

namespace espalier::cli {

RunCommand add_export(CLI::App& app) {
  auto request = std::make_shared<recipe::ExportRequest>();
  app.add_option("model", request->model,
                 "Checkpoint, ONNX file, or run folder (what its training gave)")
      ->required();
  app.add_option("-o,--output", request->output, "ONNX file to write")->required();
  app.add_option(
         "--form", request->form,
         "float: as trained; folded: BatchNormalization in the weights; qdq: quantized, as engines "
         "take it; frozen: quantized, integers in float weights; int8: those stored as bytes "
         "(default: qdq for a model trained with quantizers or with --plan or --target, else "
         "float)")
      ->check(CLI::IsMember(recipe::export_forms()));
  app.add_option("--plan", request->plan, "Quantized forms: plan.yaml (default: the run folder's)");
  app.add_option("--target", request->target, "Quantized forms: what the plan must be for")
      ->check(CLI::IsMember(quant::target_names()));
  app.add_option("--opset", request->opset, "Operator set of the file")
      ->check(CLI::Range(13, 23))
      ->capture_default_str();
  app.add_flag("--averaged", request->averaged,
               "The moving average of the weights that a checkpoint holds");
  return [request](const CommonOptions& common) {
    const report::Json json = recipe::export_model(*request);
    if (common.verbosity >= 0) fmt::print("{}", recipe::export_text(json));
    return Outcome{.json = report::to_text(json, -1)};
  };
}

}  // namespace espalier::cli
