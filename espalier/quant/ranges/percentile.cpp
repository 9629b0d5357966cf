#include <algorithm>

#include "espalier/quant/ranges/ranges.h"

namespace espalier::quant {

// Symmetric: |x| up to the percentile. Else half of what is cut goes to each end.
Range percentile_range(const ValueStatistics& statistics, const RangeOptions& options) {
  const Distribution distribution(statistics.histogram);
  const double share = options.percentile / 100.0;
  if (options.symmetric) {
    const double threshold = distribution.magnitude_quantile(share);
    return range_of_threshold(threshold, statistics.histogram, true);
  }
  const double cut = (1.0 - share) / 2;
  return {.low = std::min(distribution.quantile(cut), 0.0),
          .high = std::max(distribution.quantile(1.0 - cut), 0.0)};
}

}  // namespace espalier::quant
