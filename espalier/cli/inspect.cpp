#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/cli/commands.h"
#include "espalier/recipe/inspection.h"
#include "espalier/recipe/run_folder.h"

namespace espalier::cli {
namespace {

struct InspectArguments {
  std::filesystem::path model;
  bool nodes = false;
  bool groups = false;
};

}  // namespace

RunCommand add_inspect(CLI::App& app) {
  auto arguments = std::make_shared<InspectArguments>();
  app.add_option("model", arguments->model, "ONNX file, checkpoint, or run folder")->required();
  app.add_flag("--nodes", arguments->nodes, "List every node with its cost");
  app.add_flag("--groups", arguments->groups,
               "List the channels that pruning may cut, and why others must stay");
  return [arguments](const CommonOptions& common) {
    const report::Json json = recipe::inspect_model(recipe::shipped_model(arguments->model),
                                                    {.groups = arguments->groups});
    if (common.verbosity >= 0) fmt::print("{}", recipe::inspection_text(json, arguments->nodes));
    return Outcome{.json = report::to_text(json, -1)};
  };
}

}  // namespace espalier::cli
