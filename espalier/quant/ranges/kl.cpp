#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "espalier/quant/ranges/ranges.h"

namespace espalier::quant {
namespace {

/// Bins of |x| the search works on; pairs of the histogram's bins are joined until they fit.
constexpr std::size_t kSearchBins = 2048;

struct Magnitudes {
  std::vector<double> counts;  ///< up to the last bin in use; exact zeros left out
  double width = 0;
};

/// Zeros are represented without error whatever the range, so they take no part: ReLU outputs would
/// drown everything else.
Magnitudes magnitudes_of(const Histogram& histogram) {
  Magnitudes result{.counts = std::vector<double>(kSearchBins, 0.0),
                    .width = histogram.width() * 2};
  for (std::size_t bin = 0; bin < Histogram::kBins; ++bin) {
    result.counts[bin / 2] +=
        static_cast<double>(histogram.positive(bin)) + static_cast<double>(histogram.negative(bin));
  }
  while (!result.counts.empty() && result.counts.back() == 0) result.counts.pop_back();
  return result;
}

/// Prefix sums that give a candidate's divergence in O(levels).
struct Prefix {
  std::vector<double> count;
  std::vector<double> used;     ///< bins that are not empty
  std::vector<double> entropy;  ///< sum of c log c

  explicit Prefix(const std::vector<double>& counts)
      : count(counts.size() + 1), used(counts.size() + 1), entropy(counts.size() + 1) {
    for (std::size_t bin = 0; bin < counts.size(); ++bin) {
      const double c = counts[bin];
      count[bin + 1] = count[bin] + c;
      used[bin + 1] = used[bin] + (c > 0 ? 1 : 0);
      entropy[bin + 1] = entropy[bin] + (c > 0 ? c * std::log(c) : 0.0);
    }
  }
};

/// KL(P || Q) for the first `bins` bins: P has the outliers added to its last bin; Q is the part
/// inside, spread evenly over the bins in use of each of `levels` groups (Migacz, "8-bit inference
/// with TensorRT", GTC 2017). Infinite when P has mass where Q has none.
double divergence(const Prefix& prefix, std::size_t bins, std::size_t levels) {
  const double total = prefix.count.back();
  const double inside = prefix.count[bins];
  const double outliers = total - inside;
  const double last = inside - prefix.count[bins - 1];
  const double folded = last + outliers;
  if (inside == 0 || (last == 0 && outliers > 0)) return std::numeric_limits<double>::infinity();
  const auto x_log_x = [](double x) { return x > 0 ? x * std::log(x) : 0.0; };
  // sum p log p - sum p log q with p = c / total, q = (group's count / bins in use) / inside.
  double sum = prefix.entropy[bins] - x_log_x(last) + x_log_x(folded);
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t from = level * bins / levels;
    const std::size_t to = (level + 1) * bins / levels;
    const double count = prefix.count[to] - prefix.count[from];
    const double used = prefix.used[to] - prefix.used[from];
    const double folded_count = to == bins ? count + outliers : count;
    if (folded_count > 0) sum -= folded_count * std::log(count / used);
  }
  return sum / total + std::log(inside / total);
}

/// Outliers are added to the last bin, so a threshold below nearly all values would look perfect: P
/// and Q would both be that one bin. At least this share must lie inside.
constexpr double kLeastInside = 0.95;

std::size_t best_bins(const Prefix& prefix, std::size_t levels, std::size_t size) {
  std::size_t best = size;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t bins = size; bins >= std::max<std::size_t>(levels, 1); --bins) {
    if (prefix.count[bins] < kLeastInside * prefix.count.back()) break;
    const double found = divergence(prefix, bins, levels);
    if (found < least) {
      least = found;
      best = bins;
    }
  }
  return best;
}

}  // namespace

Range kl_range(const ValueStatistics& statistics, const RangeOptions& options) {
  const Histogram& histogram = statistics.histogram;
  const Magnitudes magnitudes = magnitudes_of(histogram);
  const auto codes = static_cast<std::size_t>(options.grid.qmax() - options.grid.qmin() + 1);
  const bool one_sided = histogram.min() >= 0 && !options.grid.is_signed;
  const std::size_t levels = one_sided ? codes : codes / 2;
  if (magnitudes.counts.size() <= levels) return min_max_range(statistics, options);
  const Prefix prefix(magnitudes.counts);
  const std::size_t bins = best_bins(prefix, levels, magnitudes.counts.size());
  const double top =
      std::max(-static_cast<double>(histogram.min()), static_cast<double>(histogram.max()));
  const double threshold = std::min(static_cast<double>(bins) * magnitudes.width, top);
  return range_of_threshold(threshold, histogram, options.symmetric);
}

}  // namespace espalier::quant
