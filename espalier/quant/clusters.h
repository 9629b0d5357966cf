#pragma once

#include <string>
#include <vector>

#include "espalier/ops/facts.h"
#include "espalier/quant/calibrate.h"
#include "espalier/quant/placement.h"

namespace espalier::quant {

/// Values that get one scale and zero point, with the statistics that decide them.
struct Cluster {
  std::vector<std::string> values;
  ValueStatistics statistics;  ///< of all observed values together
  ops::OutputRange bounds;     ///< intersection of the values' merged activations
};

/// Shares of one range that a value may need of another's and still share its scale: beyond this
/// ratio the smaller one would lose more than a bit.
inline constexpr double kSharedRangeRatio = 2.0;

/// Joins the groups of operators that want one scale where it does no harm: their values end at the
/// same merged bounds, and their ranges are at most kSharedRangeRatio apart. In graph order.
/// Throws UserError naming a value without statistics, or without a finite value.
[[nodiscard]] std::vector<Cluster> make_clusters(const Placement& placement,
                                                 const Statistics& statistics);

}  // namespace espalier::quant
