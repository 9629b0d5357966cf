#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// Temperature that softens the outputs of a divergence, as of distillation.
inline constexpr double kDivergenceTemperature = 4;

/// For every image whether its label is the largest of its scores [images, classes] (of equal ones
/// the first): 1 or 0, and -1 without a label. Scores that are not finite are wrong.
[[nodiscard]] std::vector<std::int8_t> judge_top1(const Tensor& scores, const Tensor& labels);

/// For every image T^2 * sum(p * (log p - log q)), p = softmax(reference / T), q = softmax(outputs
/// / T), over axis 1 and as the mean over further axes: train::soft_label_divergence image by
/// image. Outputs that are not finite, and anything larger, count as kLargestDivergence.
[[nodiscard]] std::vector<double> divergences(const Tensor& outputs, const Tensor& reference);
inline constexpr double kLargestDivergence = 1e6;

/// Mean of numbers, and how sure it is.
class PairedMean {
 public:
  void add(double value);
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] double mean() const { return mean_; }
  /// Half the width of the interval mean +- quantile * s / sqrt(n), with the sample's standard
  /// deviation; 0 below two numbers.
  [[nodiscard]] double half_width(double quantile) const;

 private:
  std::int64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;  ///< sum of squared distances from the mean (Welford 1962)
};

/// 97.5 % quantile of the normal distribution: a 95 % interval.
inline constexpr double kQuantile95 = 1.959963984540054;

/// When a measurement that is still going on is looked at: numbers of images, ascending, below
/// `images`: 100, 200, 400, ...
[[nodiscard]] std::vector<std::int64_t> looks(std::int64_t images);
/// Quantile for an interval that holds with 95 % over all of so many looks together (Bonferroni).
[[nodiscard]] double quantile_over(std::size_t num_looks);

}  // namespace espalier::recipe
