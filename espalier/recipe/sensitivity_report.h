#pragma once

#include <filesystem>
#include <string>

#include "espalier/recipe/sensitivity.h"
#include "espalier/report/html.h"
#include "espalier/report/json.h"

namespace espalier::recipe {

/// Everything that was found, with the groups that were left out and why.
[[nodiscard]] report::Json to_json(const SensitivityResult& result);
/// A table for the terminal: a row a group, a column a ratio.
[[nodiscard]] std::string to_text(const SensitivityResult& result);
/// Curves of all groups, which group gives most for least, and every point.
[[nodiscard]] report::Page to_page(const SensitivityResult& result, const std::string& command);
/// Writes FILE.html and FILE.json beside FILE.csv.
void write_sensitivity_report(const SensitivityResult& result, const std::string& command,
                              const std::filesystem::path& file);

}  // namespace espalier::recipe
