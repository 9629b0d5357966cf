#include <algorithm>

#include "espalier/quant/ranges/ranges.h"

namespace espalier::quant {

// Mean over the samples of each sample's extremes: one unusual sample moves it little.
Range avg_range(const ValueStatistics& statistics, const RangeOptions& options) {
  if (statistics.samples == 0) return min_max_range(statistics, options);
  const auto samples = static_cast<double>(statistics.samples);
  if (options.symmetric) {
    const double magnitude = statistics.sum_of_magnitudes / samples;
    return range_of_threshold(magnitude, statistics.histogram, true);
  }
  return {.low = std::min(statistics.sum_of_minima / samples, 0.0),
          .high = std::max(statistics.sum_of_maxima / samples, 0.0)};
}

}  // namespace espalier::quant
