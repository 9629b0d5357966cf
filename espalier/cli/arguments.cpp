#include "espalier/cli/arguments.h"

#include <CLI/CLI.hpp>

namespace espalier::cli {

void DataArguments::add_to(CLI::App& app, bool required) {
  app.add_option("--data", data, "A DATA.yaml, or a folder of images")->required(required);
  app.add_option("--mean", folder.mean, "Folder of images: mean of each channel")->delimiter(',');
  app.add_option("--std", folder.std_deviation, "Folder of images: deviation of each channel")
      ->delimiter(',');
  app.add_option("--size", folder.size, "Folder of images: height and width of the input")
      ->check(CLI::Range(1, 65536));
}

recipe::DataSplits DataArguments::open() const {
  return recipe::open_data(data, folder);
}

report::ProgressStyle progress_style(const CommonOptions& common) {
  return common.verbosity < 0 ? report::ProgressStyle::Quiet : report::ProgressStyle::Auto;
}

std::string command_line(const std::vector<std::string>& words) {
  std::string line = "espalier";
  for (const std::string& word : words) {
    const bool plain =
        !word.empty() && word.find_first_of(" \t'\"\\$*?[]{}()&;|<>") == std::string::npos;
    line += ' ' + (plain ? word : "'" + word + "'");
  }
  return line;
}

}  // namespace espalier::cli
