#pragma once

#include "espalier/quant/distribution.h"
#include "espalier/quant/range_method.h"

namespace espalier::quant {

// The rows of the table in range_method.cpp, one source file each. Every one gives a range that
// contains zero and does not exceed the observed values (symmetric: their largest magnitude).

[[nodiscard]] Range abs_max_range(const ValueStatistics& statistics, const RangeOptions& options);
[[nodiscard]] Range min_max_range(const ValueStatistics& statistics, const RangeOptions& options);
[[nodiscard]] Range avg_range(const ValueStatistics& statistics, const RangeOptions& options);
[[nodiscard]] Range hist_range(const ValueStatistics& statistics, const RangeOptions& options);
[[nodiscard]] Range percentile_range(const ValueStatistics& statistics,
                                     const RangeOptions& options);
[[nodiscard]] Range kl_range(const ValueStatistics& statistics, const RangeOptions& options);
[[nodiscard]] Range mse_range(const ValueStatistics& statistics, const RangeOptions& options);

/// [-t, t] for a symmetric quantizer; else the observed range cut to magnitudes up to t.
[[nodiscard]] Range range_of_threshold(double threshold, const Histogram& histogram,
                                       bool symmetric);

}  // namespace espalier::quant
