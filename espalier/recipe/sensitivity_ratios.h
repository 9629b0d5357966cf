#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "espalier/prune/budget.h"
#include "espalier/recipe/sensitivity_store.h"
#include "espalier/report/json.h"

namespace espalier::recipe {

/// How much a group may lose.
struct GroupRatio {
  std::string group = {};
  double ratio = 0;  ///< share of its channels that goes
};

struct SensitivityRatios {
  std::vector<GroupRatio> groups = {};  ///< in the order of the file
  /// Share of the cost that remains; below 0 where it was not counted.
  double remaining = -1;
  bool reached = true;
  std::string reason = {};  ///< where not reached: why
};

/// For each group the largest share, measured or interpolated, whose loss is at most `loss` (points
/// of top-1, or divergence). Throws UserError for a loss that is not a number or below 0, and for
/// a file without points.
[[nodiscard]] SensitivityRatios ratios_for_loss(const SensitivityStore& store, double loss);

struct CostRequest {
  std::filesystem::path model;  ///< ONNX or checkpoint
  prune::BudgetKind kind = prune::BudgetKind::Macs;
  double remaining = 0.5;  ///< share that remains
  std::int64_t align = 1;  ///< channels that are left are a multiple
  /// Height and width where the model leaves them open.
  std::optional<std::int64_t> image_size = std::nullopt;
};

/// For each group the share that brings the model to a cost, all groups at one tolerated loss
/// (prune::Strategy::Sensitivity); groups without a curve lose nothing. Throws UserError for a file
/// of another model.
[[nodiscard]] SensitivityRatios ratios_for_cost(const SensitivityStore& store,
                                                const CostRequest& request);

[[nodiscard]] report::Json to_json(const SensitivityRatios& ratios);
[[nodiscard]] std::string to_text(const SensitivityRatios& ratios);

}  // namespace espalier::recipe
