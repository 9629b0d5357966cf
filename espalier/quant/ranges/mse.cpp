#include <algorithm>
#include <cmath>
#include <limits>

#include "espalier/quant/ranges/ranges.h"

namespace espalier::quant {
namespace {

/// Searches the range with the least sum of squared quantization errors. Each candidate costs
/// O(levels) through the prefix integrals of the distribution.
class Search {
 public:
  Search(const Distribution& distribution, const RangeOptions& options)
      : distribution_(distribution), options_(options) {}

  /// Factors 2^(-k / per_octave) of the ends of `full`, alone or both at once.
  void coarse(const Range& full, bool joint) {
    const int steps = joint ? kJointSteps : kSingleSteps;
    const double per_octave = static_cast<double>(steps) / kOctaves;
    for (int high = 0; high <= steps; ++high) {
      const double top = full.high * std::exp2(-high / per_octave);
      if (!joint) {
        const double factor = std::exp2(-high / per_octave);
        consider({.low = full.low * factor, .high = top});
        continue;
      }
      for (int low = 0; low <= steps; ++low) {
        consider({.low = full.low * std::exp2(-low / per_octave), .high = top});
      }
    }
    spread_ = std::exp2(1.0 / per_octave) - 1.0;
  }

  /// Moves each end around the best range found, in windows that shrink.
  void refine(const Range& full, bool joint) {
    for (int round = 0; round < kRounds; ++round) {
      const Range centre = best_;
      for (int step = -kWindow; step <= kWindow; ++step) {
        const double factor = 1.0 + spread_ * step / kWindow;
        const double high = std::min(centre.high * factor, full.high);
        const double low = std::max(centre.low * factor, full.low);
        if (joint) {
          consider({.low = best_.low, .high = high});
        } else {
          consider({.low = low, .high = high});
        }
      }
      for (int step = -kWindow; joint && step <= kWindow; ++step) {
        const double factor = 1.0 + spread_ * step / kWindow;
        consider({.low = std::max(centre.low * factor, full.low), .high = best_.high});
      }
      spread_ *= 0.35;
    }
  }

  [[nodiscard]] const Range& best() const { return best_; }

 private:
  static constexpr int kOctaves = 6;
  static constexpr int kSingleSteps = 48;
  static constexpr int kJointSteps = 12;
  static constexpr int kRounds = 5;
  static constexpr int kWindow = 8;

  void consider(const Range& range) {
    const auto params = params_for_range(range, options_.grid, options_.symmetric);
    const double error = distribution_.squared_error(params, options_.grid);
    if (error >= least_) return;
    least_ = error;
    best_ = range;
  }

  const Distribution& distribution_;
  const RangeOptions& options_;
  Range best_{};
  double least_ = std::numeric_limits<double>::infinity();
  double spread_ = 0;
};

}  // namespace

Range mse_range(const ValueStatistics& statistics, const RangeOptions& options) {
  const Range full = min_max_range(statistics, options);
  if (full.low == 0 && full.high == 0) return full;
  const Distribution distribution(statistics.histogram);
  const bool joint = !options.symmetric && full.low < 0 && full.high > 0;
  Search search(distribution, options);
  search.coarse(full, joint);
  search.refine(full, joint);
  return search.best();
}

}  // namespace espalier::quant
