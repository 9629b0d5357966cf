#include "espalier/recipe/report.h"

#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/cli/commands.h"

namespace espalier::cli {
namespace {

void check_version(const report::Json& json, const std::filesystem::path& source) {
  const bool is_object = json.is_object();
  const report::Json* version = is_object ? json.find("version") : nullptr;
  if (version == nullptr || !version->is_number()) {
    throw base::UserError({.what = "not the report of a run",
                           .where = source.string(),
                           .expected = "an object with the member 'version'"});
  }
  if (version->as_integer() <= recipe::kReportVersion) return;
  throw base::UserError({.what = "the report was written by a later Espalier",
                         .where = source.string(),
                         .got = fmt::format("version {}", version->as_integer()),
                         .expected = fmt::format("at most {}", recipe::kReportVersion)});
}

struct Texts {
  std::string html;
  std::string table;
};

Texts write_texts(const report::Json& json, const std::filesystem::path& source) {
  try {
    return {.html = report::render_html(recipe::report_page(json)),
            .table = recipe::report_text(json)};
  } catch (const base::UserError& error) {
    throw base::UserError(
        {.what = "the report is damaged", .where = source.string(), .hint = error.what()});
  }
}

}  // namespace

RunCommand add_report(CLI::App& app) {
  auto folder = std::make_shared<std::filesystem::path>();
  app.add_option("folder", *folder, "Run folder with a report.json")->required();
  return [folder](const CommonOptions& common) {
    const std::filesystem::path source = *folder / "report.json";
    const report::Json json = report::parse_json(base::read_file(source), source.string());
    check_version(json, source);
    const std::filesystem::path page = *folder / "report.html";
    const Texts texts = write_texts(json, source);
    base::write_file_atomic(page, texts.html);
    if (common.verbosity >= 0) fmt::print("{}written: {}\n", texts.table, page.string());
    return Outcome{.json = report::to_text(json, -1)};
  };
}

}  // namespace espalier::cli
