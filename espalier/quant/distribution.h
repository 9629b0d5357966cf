#pragma once

#include <cstddef>
#include <vector>

#include "espalier/quant/histogram.h"
#include "espalier/quant/range_method.h"
#include "espalier/tensor/quantize.h"

namespace espalier::quant {

/// A histogram read as a density: constant inside a bin, cut at the exact minimum and maximum, with
/// the exact zeros as a point mass. Prefix integrals make every question about an interval O(1)
/// (plus finding the bin, which is arithmetic).
class Distribution {
 public:
  explicit Distribution(const Histogram& histogram);

  [[nodiscard]] double min() const { return min_; }
  [[nodiscard]] double max() const { return max_; }
  /// Values in all, zeros included.
  [[nodiscard]] double count() const { return count_; }
  [[nodiscard]] double zeros() const { return zeros_; }
  [[nodiscard]] double width() const { return width_; }

  /// Integrals of 1, x and x^2 over (-infinity, x] without the point mass at zero.
  struct Moments {
    double zeroth = 0;
    double first = 0;
    double second = 0;
  };
  [[nodiscard]] Moments below(double x) const;
  /// Sum of x^2 over all values.
  [[nodiscard]] double energy() const { return moments_.back().second; }

  /// Smallest x such that at least `share` of all values are <= x.
  [[nodiscard]] double quantile(double share) const;
  /// Smallest t such that at least `share` of all values have |x| <= t.
  [[nodiscard]] double magnitude_quantile(double share) const;
  /// Values outside [low, high].
  [[nodiscard]] double outside(const Range& range) const;

  /// Sums of (x - x')^2 over all values when they are quantized with scale and zero point on the
  /// grid: of those inside the represented range, and of those beyond it. O(levels).
  struct Errors {
    double inside = 0;
    double clipped = 0;
    [[nodiscard]] double sum() const { return inside + clipped; }
  };
  [[nodiscard]] Errors errors(const tensor::ScaleAndZero& params,
                              const tensor::QuantGrid& grid) const;
  [[nodiscard]] double squared_error(const tensor::ScaleAndZero& params,
                                     const tensor::QuantGrid& grid) const {
    return errors(params, grid).sum();
  }

 private:
  [[nodiscard]] double edge(std::size_t bin) const;

  double width_ = 0;
  double min_ = 0;
  double max_ = 0;
  double count_ = 0;
  double zeros_ = 0;
  std::ptrdiff_t first_ = 0;  ///< signed number of the first bin kept: it starts at first_ * width_
  std::vector<double> counts_;    ///< signed bins from low to high
  std::vector<Moments> moments_;  ///< integrals up to the lower edge of each bin, and the total
};

/// Range that scale and zero point represent.
[[nodiscard]] Range represented_range(const tensor::ScaleAndZero& params,
                                      const tensor::QuantGrid& grid);

/// Parameters for a range as the planner uses them: as tensor::scale_for_range, but a symmetric
/// unsigned grid keeps all codes for a range without negative values.
[[nodiscard]] tensor::ScaleAndZero params_for_range(const Range& range,
                                                    const tensor::QuantGrid& grid, bool symmetric);

}  // namespace espalier::quant
