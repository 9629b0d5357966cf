#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "espalier/cli/command.h"
#include "espalier/recipe/folder_data.h"
#include "espalier/recipe/recipe.h"
#include "espalier/recipe/run.h"
#include "espalier/report/json.h"
#include "espalier/report/progress.h"

namespace CLI {
class Option;
class Validator;
}  // namespace CLI

namespace espalier::cli {

/// Options of every command that reads images: `--data`, and for a plain folder `--mean`, `--std`,
/// `--size`, which a data file refuses.
struct DataArguments {
  std::filesystem::path data;
  recipe::FolderOptions folder;
  std::int64_t size = 0;  ///< 0: the model's

  void add_to(CLI::App& app, bool required);
  [[nodiscard]] recipe::FolderOptions folder_options() const;
  /// The images, as `model` (a file or a run folder) takes them.
  [[nodiscard]] recipe::DataSplits open(const std::filesystem::path& model) const;

  std::vector<const CLI::Option*> only_for_folders = {};  ///< owned by the command
};

/// @name Checks of options
/// As CLI::Range, but NaN is in no range, and numbers that do not fit are not cut to the largest
/// that does.
/// @{
[[nodiscard]] CLI::Validator number_between(double low, double high);
[[nodiscard]] CLI::Validator seed_number();
/// @}

/// `--max-drop`, `--min-agreement`, `--min-integer-share`, `--allow-slower`, `--latency-rounds`:
/// the bounds of an INT8 file.
void add_verify_bounds(CLI::App& app, recipe::VerifyConfig& config);

/// Refuses a `--batch` that was given and that the file, which fixes another one, cannot honour:
/// UserError unless it is a multiple of the file's.
void check_batch(const CLI::App& app, const std::filesystem::path& model, std::int64_t batch);

/// Exit code and JSON of a judged report; when quiet, why it failed goes to standard error.
[[nodiscard]] Outcome judged(bool passed, const report::Json& report, const CommonOptions& common);
/// The same for a run, after its table and the file that it wrote.
[[nodiscard]] Outcome outcome_of(const recipe::RunResult& result,
                                 const std::filesystem::path& output, const CommonOptions& common);

/// How progress is shown at this verbosity.
[[nodiscard]] report::ProgressStyle progress_style(const CommonOptions& common);

/// "espalier quantize model.onnx --data x.yaml", quoted where needed, for reports.
[[nodiscard]] std::string command_line(const std::vector<std::string>& words);

}  // namespace espalier::cli
