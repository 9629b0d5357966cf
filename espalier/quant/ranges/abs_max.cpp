#include <algorithm>

#include "espalier/quant/ranges/ranges.h"

namespace espalier::quant {

Range range_of_threshold(double threshold, const Histogram& histogram, bool symmetric) {
  // Unsigned codes of values that are never negative all lie above zero, symmetric or not.
  if (symmetric && histogram.min() >= 0) return {.low = 0, .high = threshold};
  if (symmetric) return {.low = -threshold, .high = threshold};
  return {.low = std::max(std::min(static_cast<double>(histogram.min()), 0.0), -threshold),
          .high = std::min(std::max(static_cast<double>(histogram.max()), 0.0), threshold)};
}

// The largest magnitude on both sides, whether the quantizer is symmetric or not; a range without
// negative values starts at zero.
Range abs_max_range(const ValueStatistics& statistics, const RangeOptions& /*options*/) {
  const auto low = static_cast<double>(statistics.histogram.min());
  const auto high = static_cast<double>(statistics.histogram.max());
  const double magnitude = std::max(-low, high);
  if (low >= 0) return {.low = 0, .high = magnitude};
  return {.low = -magnitude, .high = magnitude};
}

}  // namespace espalier::quant
