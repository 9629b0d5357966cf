#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "espalier/prune/plan.h"

namespace espalier::recipe {

/// A pruning plan as YAML (docs/formats.md): one entry for each group, removed positions as ranges
/// ("0-3, 7"). Equal plans give equal bytes.
[[nodiscard]] std::string print_prune_plan(const prune::PrunePlan& plan);

/// Reads a plan; positions may be a list of numbers as well. Throws UserError with `source` and
/// line for YAML errors, unknown keys (with a suggestion), files of another kind, numbers out of
/// range, positions that do not ascend, and entries that name the same axis twice. Whether the plan
/// fits a graph is prune::resolve's question.
[[nodiscard]] prune::PrunePlan parse_prune_plan(std::string_view text, const std::string& source);
[[nodiscard]] prune::PrunePlan load_prune_plan(const std::filesystem::path& path);

}  // namespace espalier::recipe
