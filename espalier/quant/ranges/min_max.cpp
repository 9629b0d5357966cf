#include <algorithm>

#include "espalier/quant/ranges/ranges.h"

namespace espalier::quant {

Range min_max_range(const ValueStatistics& statistics, const RangeOptions& options) {
  const auto low = static_cast<double>(statistics.histogram.min());
  const auto high = static_cast<double>(statistics.histogram.max());
  return range_of_threshold(std::max(-low, high), statistics.histogram, options.symmetric);
}

}  // namespace espalier::quant
