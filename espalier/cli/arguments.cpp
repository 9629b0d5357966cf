#include "espalier/cli/arguments.h"

#include <charconv>
#include <cstdint>
#include <limits>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/recipe/run_folder.h"
#include "espalier/train/model_file.h"

namespace espalier::cli {

void DataArguments::add_to(CLI::App& app, bool required) {
  app.add_option("--data", data, "A DATA.yaml, or a folder of images")->required(required);
  only_for_folders = {
      app.add_option("--mean", folder.mean,
                     "Folder of images: mean of each channel (default: ImageNet's)")
          ->delimiter(','),
      app.add_option("--std", folder.std_deviation,
                     "Folder of images: deviation of each channel (default: ImageNet's)")
          ->delimiter(','),
      app.add_option("--size", size,
                     "Folder of images: height and width of the input (default: the model's, "
                     "or 224). Images of that size stay as they are; of others the shorter side "
                     "becomes size * 256 / 224, below 64 the size itself, and the centre is cut "
                     "out")
          ->check(CLI::Range(1, 65536))};
}

recipe::FolderOptions DataArguments::folder_options() const {
  recipe::FolderOptions options = folder;
  options.height = options.width = size;
  return options;
}

recipe::DataSplits DataArguments::open(const std::filesystem::path& model) const {
  for (const CLI::Option* option : only_for_folders) {
    if (option->count() == 0 || std::filesystem::is_directory(data)) continue;
    throw base::UserError({.what = fmt::format("{} is for a folder of images", option->get_name()),
                           .got = fmt::format("the data file '{}'", data.string()),
                           .hint = "a data file says it in its transform_ops"});
  }
  if (!std::filesystem::is_directory(data)) return recipe::load_data(data);
  return recipe::open_data(data, recipe::fit_to_model(folder_options(), model));
}

CLI::Validator number_between(double low, double high) {
  const auto check = [low, high](std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (whole && value >= low && value <= high) return std::string();
    return fmt::format("got '{}', expected a number from {} to {}", text, low, high);
  };
  return CLI::Validator(check, fmt::format("NUMBER in [{} - {}]", low, high), "between");
}

CLI::Validator seed_number() {
  const auto check = [](std::string& text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return std::string();
    return fmt::format("got '{}', expected a whole number from 0 to {}", text,
                       std::numeric_limits<std::uint64_t>::max());
  };
  return CLI::Validator(check, "SEED", "seed");
}

void add_verify_bounds(CLI::App& app, recipe::VerifyConfig& config) {
  app.add_option("--max-drop", config.max_drop, "Points of top-1 that may be lost")
      ->check(number_between(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--min-agreement", config.min_agreement, "Least share of equal predictions")
      ->check(number_between(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--min-simulation-agreement", config.min_simulation_agreement,
                 "Least share of predictions equal to the simulation's")
      ->check(number_between(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--min-sqnr", config.min_value_sqnr_db,
                 "Least signal to noise in dB of outputs that hold no classes")
      ->check(number_between(0.0, 200.0))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--outputs",
         [&config](const std::string& meaning) {
           if (meaning == "values") config.outputs = deploy::OutputMeaning::Values;
         },
         "auto: outputs are scores of classes where their shape is; values: none is (they are "
         "images, for example), and --min-sqnr judges them")
      ->check(CLI::IsMember({"auto", "values"}))
      ->default_str("auto");
  app.add_option("--min-integer-share", config.min_integer_mac_share,
                 "Least share of MACs done in integers")
      ->check(number_between(0.0, 1.0))
      ->capture_default_str();
  app.add_flag("--allow-slower", config.allow_slower, "Accept INT8 slower than float");
  app.add_option("--latency-rounds", config.latency_rounds, "0: no timing")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
}

void check_batch(const CLI::App& app, const std::filesystem::path& model, std::int64_t batch) {
  if (app.get_option("--batch")->count() == 0) return;
  std::optional<std::int64_t> fixed;
  try {
    fixed = deploy::fixed_batch(train::load_model(recipe::shipped_model(model)));
  } catch (const base::UnsupportedError&) {
    return;  // Only the engine can read the file.
  }
  if (!fixed || batch % *fixed == 0) return;
  throw base::UserError(
      {.what = fmt::format("--batch does not fit the model '{}'", model.string()),
       .got = fmt::format("{}", batch),
       .expected = fmt::format("a multiple of {}, which the file fixes", *fixed)});
}

Outcome judged(bool passed, const report::Json& report, const CommonOptions& common) {
  const auto print_failures = [](const report::Json& part) {
    const report::Json* failures = part.find("failures");
    if (failures == nullptr) return;
    for (const report::Json& failure : failures->items()) {
      fmt::print(stderr, "failed: {}\n", failure.as_string());
    }
  };
  if (!passed && common.verbosity < 0) {
    print_failures(report);
    if (const report::Json* pruning = report.find("pruning")) print_failures(*pruning);
  }
  return {.code = passed ? base::ExitCode::Ok : base::ExitCode::FailedCheck,
          .json = report::to_text(report, -1)};
}

Outcome outcome_of(const recipe::RunResult& result, const std::filesystem::path& output,
                   const CommonOptions& common) {
  if (common.verbosity >= 0) {
    fmt::print("{}written: {}\n", result.text, (output / "model.onnx").string());
  }
  return judged(result.passed, result.report, common);
}

report::ProgressStyle progress_style(const CommonOptions& common) {
  return common.verbosity < 0 ? report::ProgressStyle::Quiet : report::ProgressStyle::Auto;
}

std::string command_line(const std::vector<std::string>& words) {
  std::string line = "espalier";
  for (const std::string& word : words) {
    const bool plain =
        !word.empty() && word.find_first_of(" \t\n'\"\\$*?[]{}()&;|<>~#`!") == std::string::npos;
    std::string quoted;
    for (const char letter : word) quoted += letter == '\'' ? "'\\''" : std::string(1, letter);
    line += ' ' + (plain ? word : "'" + quoted + "'");
  }
  return line;
}

}  // namespace espalier::cli
