#include "espalier/recipe/safe_gap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "espalier/base/check.h"

namespace espalier::recipe {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor plain_scores(const Tensor& scores) {
  base::invariant(scores.dim() == 2, "scores of {} axes", scores.dim());
  return scores.to(at::kCPU, at::kFloat).contiguous();
}

double class_gap(const float* row, std::int64_t classes, std::int64_t best) {
  double other = -kInfinity;
  for (std::int64_t index = 0; index < classes; ++index) {
    if (!std::isfinite(row[index])) return -kInfinity;
    if (index != best) other = std::max<double>(other, row[index]);
  }
  return row[best] - other;
}

}  // namespace

std::vector<std::int64_t> best_classes(const Tensor& scores) {
  const Tensor values = plain_scores(scores);
  const std::int64_t classes = scores.size(1);
  std::vector<std::int64_t> result;
  for (std::int64_t image = 0; image < scores.size(0); ++image) {
    const float* row = values.const_data_ptr<float>() + image * classes;
    result.push_back(std::max_element(row, row + classes) - row);
  }
  return result;
}

std::vector<double> class_gaps(const Tensor& scores, const std::vector<std::int64_t>& classes) {
  const Tensor values = plain_scores(scores);
  base::invariant(classes.size() == static_cast<std::size_t>(scores.size(0)),
                  "{} classes for {} images", classes.size(), scores.size(0));
  std::vector<double> result;
  for (const std::int64_t best : classes) {
    const float* row =
        values.const_data_ptr<float>() + static_cast<std::int64_t>(result.size()) * scores.size(1);
    result.push_back(class_gap(row, scores.size(1), best));
  }
  return result;
}

void SafeGap::add(double before, double after) {
  if (!std::isfinite(before) || !std::isfinite(after)) {
    finite_ = false;
    return;
  }
  ++count_;
  const double from_mean = before - mean_before_;
  const double after_from_mean = after - mean_after_;
  mean_before_ += from_mean / static_cast<double>(count_);
  mean_after_ += after_from_mean / static_cast<double>(count_);
  squares_before_ += from_mean * (before - mean_before_);
  squares_after_ += after_from_mean * (after - mean_after_);
  products_ += from_mean * (after - mean_after_);
}

double SafeGap::value() const {
  if (!finite_ || count_ < kLeastImages || squares_before_ <= 0) return kInfinity;
  const double slope = products_ / squares_before_;
  if (slope <= 0) return kInfinity;
  const double left = std::max(squares_after_ - slope * products_, 0.0);
  const double error = std::sqrt(left / static_cast<double>(count_ - 2));
  return mean_before_ + (kStandardErrors * error - mean_after_) / slope;
}

}  // namespace espalier::recipe
