#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace espalier::quant {

/// Counts of float values on a grid anchored at zero: bin i of a sign holds the values with
/// i * width <= |x| < (i + 1) * width, exact zeros are counted apart. The width is the smallest
/// power of two for which every finite value fits; when a larger value comes, it doubles and pairs
/// of bins are added, which is exact. So the state is a function of the multiset of values: any
/// partition, order or merge gives the same bytes.
class Histogram {
 public:
  static constexpr std::size_t kBins = 4096;  ///< per sign
  /// Magnitudes below 2^-126 count as zero, so that flushing denormals changes nothing.
  static constexpr int kSmallestExponent = -126;

  /// Smallest and largest finite value of a run; low > high when it has none.
  struct Extremes {
    float low = 0;
    float high = 0;
  };
  /// Counts the values. NaN and infinities are counted apart and enter nothing else. `slices`, when
  /// given, receives the extremes of that many equal runs, which the values divide into.
  void add(std::span<const float> values, std::span<Extremes> slices = {});
  /// Adds the counts of another histogram.
  void merge(const Histogram& other);

  /// Smallest and largest finite value, exact; 0 when there is none.
  [[nodiscard]] float min() const { return finite() == 0 ? 0.0F : min_; }
  [[nodiscard]] float max() const { return finite() == 0 ? 0.0F : max_; }
  [[nodiscard]] std::uint64_t zeros() const { return zeros_; }
  [[nodiscard]] std::uint64_t nans() const { return nans_; }
  [[nodiscard]] std::uint64_t infinities() const { return infinities_; }
  /// Finite values, zeros included.
  [[nodiscard]] std::uint64_t finite() const { return finite_; }

  /// Width of a bin: 2^exponent().
  [[nodiscard]] double width() const;
  [[nodiscard]] int exponent() const { return exponent_; }
  [[nodiscard]] std::uint64_t positive(std::size_t bin) const {
    return positive_.empty() ? 0 : positive_[bin];
  }
  [[nodiscard]] std::uint64_t negative(std::size_t bin) const {
    return negative_.empty() ? 0 : negative_[bin];
  }

  /// The fields as they are stored; from_state checks that they agree with each other (UserError).
  struct State {
    int exponent = 0;
    float min = 0;
    float max = 0;
    std::uint64_t zeros = 0;
    std::uint64_t nans = 0;
    std::uint64_t infinities = 0;
    std::vector<std::uint64_t> positive = {};  ///< trailing empty bins left out
    std::vector<std::uint64_t> negative = {};
  };
  [[nodiscard]] State state() const;
  [[nodiscard]] static Histogram from_state(const State& state);

  bool operator==(const Histogram& other) const;

 private:
  class Filler;
  /// Makes bins of 2^exponent, which is not below the present one.
  void widen(int exponent);
  void take_range(float low, float high);

  int exponent_ = kSmallestExponent;
  float min_ = 0;
  float max_ = 0;
  std::uint64_t finite_ = 0;
  std::uint64_t zeros_ = 0;
  std::uint64_t nans_ = 0;
  std::uint64_t infinities_ = 0;
  std::vector<std::uint64_t> positive_;  ///< kBins, or empty while there is no positive value
  std::vector<std::uint64_t> negative_;
};

}  // namespace espalier::quant
