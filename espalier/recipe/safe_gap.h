#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// For every image of scores [images, classes] the class with the largest (of equal ones the
/// first).
[[nodiscard]] std::vector<std::int64_t> best_classes(const Tensor& scores);

/// For every image its score of `classes[image]` minus the largest of the others: below zero when
/// another class wins. Scores that are not finite give -infinity, a single class +infinity.
[[nodiscard]] std::vector<double> class_gaps(const Tensor& scores,
                                             const std::vector<std::int64_t>& classes);

/// How far ahead the winning class of an unpruned network must lie for a cut not to change it: a
/// line by least squares from the gaps of images before the cut to those after it, less five of its
/// standard errors (about 1 of 3 million under a normal distribution).
class SafeGap {
 public:
  /// Images below which nothing is safe.
  static constexpr std::int64_t kLeastImages = 200;

  void add(double before, double after);
  /// The least gap before the cut that is safe; infinity when none is.
  [[nodiscard]] double value() const;

 private:
  static constexpr double kStandardErrors = 5;

  std::int64_t count_ = 0;
  bool finite_ = true;
  double mean_before_ = 0;
  double mean_after_ = 0;
  double squares_before_ = 0;  ///< sums of products of distances from the means (Welford 1962)
  double squares_after_ = 0;
  double products_ = 0;
};

}  // namespace espalier::recipe
