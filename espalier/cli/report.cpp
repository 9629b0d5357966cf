#include "espalier/recipe/report.h"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/base/file.h"
#include "espalier/cli/commands.h"

namespace espalier::cli {

RunCommand add_report(CLI::App& app) {
  auto folder = std::make_shared<std::filesystem::path>();
  app.add_option("folder", *folder, "Run folder with a report.json")->required();
  return [folder](const CommonOptions& common) {
    const std::filesystem::path source = *folder / "report.json";
    const report::Json json = report::parse_json(base::read_file(source), source.string());
    const std::filesystem::path page = *folder / "report.html";
    base::write_file_atomic(page, report::render_html(recipe::report_page(json)));
    if (common.verbosity >= 0) {
      fmt::print("{}written: {}\n", recipe::report_text(json), page.string());
    }
    return Outcome{.json = report::to_text(json, -1)};
  };
}

}  // namespace espalier::cli
