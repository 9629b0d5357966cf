#pragma once

#include <filesystem>
#include <string>

#include "espalier/recipe/recipe.h"
#include "espalier/report/json.h"
#include "espalier/report/progress.h"

namespace espalier::recipe {

struct RunOptions {
  std::filesystem::path output;  ///< run folder
  bool resume = false;
  bool overwrite = false;  ///< a training that the folder holds may be replaced
  int threads = 1;
  std::string command;  ///< for the report
  report::ProgressStyle progress = report::ProgressStyle::Auto;
};

struct RunResult {
  bool passed = true;   ///< every check of every stage
  report::Json report;  ///< report.json
  std::string text;     ///< table for the terminal
};

/// Runs the stages of a recipe in order and writes the run folder. With `resume`, finished stages
/// are taken from it and a training stage goes on from its newest checkpoint; without, a folder
/// that holds a training is refused unless `overwrite` is given. Input that does not fit is refused
/// before anything is replaced: a new folder then holds log.txt at most. Throws UserError.
[[nodiscard]] RunResult run_recipe(const Recipe& recipe, const RunOptions& options);

}  // namespace espalier::recipe
