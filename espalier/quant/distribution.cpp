#include "espalier/quant/distribution.h"

#include <algorithm>
#include <cmath>

namespace espalier::quant {
namespace {

using Moments = Distribution::Moments;

/// Integrals over [from, to] of a constant density that holds `count` values in [start, end].
Moments integrate(double count, double start, double end, double from, double to) {
  if (count == 0 || to <= from) return {};
  const double density = count / (end - start);
  return {.zeroth = density * (to - from),
          .first = density * (to * to - from * from) / 2,
          .second = density * (to * to * to - from * from * from) / 3};
}

Moments operator+(const Moments& left, const Moments& right) {
  return {.zeroth = left.zeroth + right.zeroth,
          .first = left.first + right.first,
          .second = left.second + right.second};
}

}  // namespace

Distribution::Distribution(const Histogram& histogram)
    : width_(histogram.width()),
      min_(static_cast<double>(histogram.min())),
      max_(static_cast<double>(histogram.max())),
      count_(static_cast<double>(histogram.finite())),
      zeros_(static_cast<double>(histogram.zeros())) {
  // A negative bin i covers (-(i + 1) w, -i w]: signed number -(i + 1). A value on an edge lies in
  // the lower bin, which a floor of min / w would miss.
  first_ = min_ < 0 ? -static_cast<std::ptrdiff_t>(std::floor(-min_ / width_)) - 1 : 0;
  const auto last = static_cast<std::ptrdiff_t>(std::floor(std::max(max_, 0.0) / width_));
  first_ = std::max(first_, -static_cast<std::ptrdiff_t>(Histogram::kBins));
  for (std::ptrdiff_t bin = first_; bin <= last; ++bin) {
    const std::uint64_t found = bin < 0 ? histogram.negative(static_cast<std::size_t>(-bin - 1))
                                        : histogram.positive(static_cast<std::size_t>(bin));
    counts_.push_back(static_cast<double>(found));
  }
  moments_.resize(counts_.size() + 1);
  for (std::size_t bin = 0; bin < counts_.size(); ++bin) {
    const double start = edge(bin);
    const double end = edge(bin + 1);
    moments_[bin + 1] = moments_[bin] + integrate(counts_[bin], start, end, start, end);
  }
}

double Distribution::edge(std::size_t bin) const {
  const double grid = static_cast<double>(first_ + static_cast<std::ptrdiff_t>(bin)) * width_;
  // The outermost bins end at the exact extremes; a bin of equal values keeps a sliver of width.
  const double sliver = width_ * 1e-6;
  if (bin == 0) return std::min(std::max(grid, min_), grid + width_ - sliver);
  if (bin == counts_.size()) return std::max(std::min(grid, max_), grid - width_ + sliver);
  return grid;
}

Distribution::Moments Distribution::below(double x) const {
  const double place = std::floor(x / width_) - static_cast<double>(first_);
  if (place < 0) return {};
  if (place >= static_cast<double>(counts_.size())) return moments_.back();
  const auto bin = static_cast<std::size_t>(place);
  const double start = edge(bin);
  const double end = edge(bin + 1);
  return moments_[bin] + integrate(counts_[bin], start, end, start, std::clamp(x, start, end));
}

double Distribution::quantile(double share) const {
  const double wanted = share * count_;
  double seen = 0;
  for (std::size_t bin = 0; bin < counts_.size(); ++bin) {
    const bool just_after = first_ + static_cast<std::ptrdiff_t>(bin) == 0;
    if (just_after) seen += zeros_;
    if (just_after && zeros_ > 0 && seen >= wanted) return 0.0;
    if (counts_[bin] > 0 && seen + counts_[bin] >= wanted) {
      const double part = std::max(wanted - seen, 0.0) / counts_[bin];
      return std::clamp(edge(bin) + part * (edge(bin + 1) - edge(bin)), min_, max_);
    }
    seen += counts_[bin];
  }
  return max_;
}

double Distribution::magnitude_quantile(double share) const {
  const double wanted = share * count_;
  const double top = std::max(-min_, max_);
  const auto inside = [&](double t) { return count_ - outside({.low = -t, .high = t}); };
  // Bisection over bins, then inside the bin; 60 halvings reach the last bit.
  double low = 0;
  double high = top;
  if (inside(0.0) >= wanted) return 0.0;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (inside(middle) >= wanted ? high : low) = middle;
  }
  return high;
}

double Distribution::outside(const Range& range) const {
  const double under = below(range.low).zeroth + (range.low > 0 ? zeros_ : 0);
  const double over =
      moments_.back().zeroth - below(range.high).zeroth + (range.high < 0 ? zeros_ : 0);
  return under + over;
}

Distribution::Errors Distribution::errors(const tensor::ScaleAndZero& params,
                                          const tensor::QuantGrid& grid) const {
  const auto scale = static_cast<double>(params.scale);
  const std::int64_t low_code = grid.qmin() - params.zero_point;
  const std::int64_t high_code = grid.qmax() - params.zero_point;
  // Only levels that some value can be rounded to.
  const auto level_of = [&](double x) {
    const double code = std::clamp(std::nearbyint(x / scale), static_cast<double>(low_code),
                                   static_cast<double>(high_code));
    return static_cast<std::int64_t>(code);
  };
  const std::int64_t first = level_of(min_);
  const std::int64_t last = level_of(max_);
  const auto cell = [](const Moments& from, const Moments& to, double level) {
    const double error = (to.second - from.second) - 2 * level * (to.first - from.first) +
                         level * level * (to.zeroth - from.zeroth);
    return std::max(error, 0.0);
  };
  Errors errors;
  const double start = static_cast<double>(first) * scale - scale / 2;
  const double end = static_cast<double>(last) * scale + scale / 2;
  Moments from = below(start);
  errors.clipped += cell({}, from, static_cast<double>(first) * scale);
  for (std::int64_t code = first; code <= last; ++code) {
    const double level = static_cast<double>(code) * scale;
    const Moments to = below(code == last ? end : level + scale / 2);
    errors.inside += cell(from, to, level);
    from = to;
  }
  errors.clipped += cell(from, moments_.back(), static_cast<double>(last) * scale);
  return errors;
}

Range represented_range(const tensor::ScaleAndZero& params, const tensor::QuantGrid& grid) {
  const auto scale = static_cast<double>(params.scale);
  return {.low = static_cast<double>(grid.qmin() - params.zero_point) * scale,
          .high = static_cast<double>(grid.qmax() - params.zero_point) * scale};
}

tensor::ScaleAndZero params_for_range(const Range& range, const tensor::QuantGrid& grid,
                                      bool symmetric) {
  const bool all_codes = symmetric && !grid.is_signed && range.low >= 0;
  return tensor::scale_for_range(range.low, range.high, grid, symmetric && !all_codes);
}

}  // namespace espalier::quant
