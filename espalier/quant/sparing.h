#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/quant/placement.h"
#include "espalier/quant/plan.h"
#include "espalier/quant/planner.h"

namespace espalier::quant {

/// Nodes that stay in floating point, by name, with the reason to report.
using KeptFloat = std::map<std::string, std::string>;

/// Relative gain in error for which a layer is worth keeping in floating point.
inline constexpr double kWorthFloat = 0.03;
/// Share of all elements computed per image that operators without weights may leave to floating
/// point behind the last integer layer.
inline constexpr double kFloatTail = 0.05;

/// Where quantizers go under these options when `kept` stays in floating point.
[[nodiscard]] Placement place_for(const ir::Graph& graph, const PlanOptions& options,
                                  const KeptFloat& kept);

/// First and last layers small enough to be left in floating point (PlanOptions::float_mac_share),
/// first layers first.
[[nodiscard]] std::vector<const ir::Node*> layers_to_spare(const ir::Graph& graph,
                                                           const PlanOptions& options);

/// Operators without weights that are quantized although no quantized layer depends on them: what
/// lies between the last integer layer and a head in floating point. Empty when they compute more
/// than kFloatTail of the graph's elements, or when that is unknown.
[[nodiscard]] std::vector<const ir::Node*> idle_tail(const ir::Graph& graph,
                                                     const Placement& placement);

/// Makes the plan with these nodes in floating point; nothing where statistics are missing for it.
using PlanWith = std::function<std::optional<QuantPlan>(const KeptFloat& kept)>;

/// Leaves ends of the graph in floating point where PlanOptions::error says that it pays: layers by
/// more than kWorthFloat, then the idle tail by any gain, for its quantizers serve no integer
/// layer.
[[nodiscard]] QuantPlan spare_ends(const ir::Graph& graph, const PlanOptions& options,
                                   const PlanWith& plan_with, QuantPlan plan);

}  // namespace espalier::quant
