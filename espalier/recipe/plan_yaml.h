#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "espalier/quant/plan.h"

namespace espalier::recipe {

/// A quantization plan as YAML (docs/formats.md). Numbers are printed so that reading them gives
/// the same bits; equal plans give equal bytes.
[[nodiscard]] std::string print_plan(const quant::QuantPlan& plan);

/// Reads a plan. Throws UserError with `source` and line for YAML errors, unknown keys (with a
/// suggestion), numbers out of range, and parameters that contradict each other.
[[nodiscard]] quant::QuantPlan parse_plan(std::string_view text, const std::string& source);
[[nodiscard]] quant::QuantPlan load_plan(const std::filesystem::path& path);

}  // namespace espalier::recipe
