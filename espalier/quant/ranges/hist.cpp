#include "espalier/quant/ranges/ranges.h"

namespace espalier::quant {

// The magnitude that a share of all values (zeros included) does not exceed, as PaddleSlim's
// `hist`; taken inside the bin instead of at its middle.
Range hist_range(const ValueStatistics& statistics, const RangeOptions& options) {
  const Distribution distribution(statistics.histogram);
  const double threshold = distribution.magnitude_quantile(options.hist_percent);
  return range_of_threshold(threshold, statistics.histogram, options.symmetric);
}

}  // namespace espalier::quant
