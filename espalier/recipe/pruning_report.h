#pragma once

#include <string>

#include "espalier/report/html.h"
#include "espalier/report/json.h"

namespace espalier::recipe {

/// Section `pruning` of report.json as sections of the page, and their cards.
void add_pruning(report::Page& page, const report::Json& facts);

/// The same for the terminal: costs before and after, accuracy, engines, failures.
[[nodiscard]] std::string pruning_text(const report::Json& facts);

}  // namespace espalier::recipe
