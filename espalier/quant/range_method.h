#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/quant/calibrate.h"
#include "espalier/tensor/quantize.h"

namespace espalier::quant {

/// What a range method needs beside the statistics.
struct RangeOptions {
  tensor::QuantGrid grid = {};
  bool symmetric = false;
  double hist_percent = 0.9999;  ///< `hist`: share of |x| that stays inside
  double percentile = 99.999;    ///< `percentile`: percent of the values that stay inside
};

/// A range of real values; contains zero.
struct Range {
  double low = 0;
  double high = 0;
  bool operator==(const Range&) const = default;
};

/// One way to choose the range of a value from its statistics.
struct RangeMethod {
  std::string_view name;
  std::string_view summary;
  Range (*find)(const ValueStatistics& statistics, const RangeOptions& options);
};

/// All methods: abs_max, min_max, avg, hist, percentile, kl, mse ("auto" is the planner's).
[[nodiscard]] std::span<const RangeMethod> range_methods();
[[nodiscard]] std::vector<std::string> range_method_names();
/// Throws UserError with a suggestion for an unknown name.
[[nodiscard]] const RangeMethod& find_range_method(std::string_view name);

}  // namespace espalier::quant
