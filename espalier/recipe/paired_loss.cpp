#include "espalier/recipe/paired_loss.h"

#include <algorithm>
#include <cmath>

#include "espalier/base/check.h"

namespace espalier::recipe {
namespace {

/// log(softmax(z / T)) of `classes` numbers that lie `stride` apart.
void log_softmax(const float* from, std::int64_t classes, std::int64_t stride,
                 std::vector<double>& result) {
  result.resize(static_cast<std::size_t>(classes));
  double largest = -INFINITY;
  for (std::int64_t index = 0; index < classes; ++index) {
    const double value = from[index * stride] / kDivergenceTemperature;
    result[static_cast<std::size_t>(index)] = value;
    largest = std::max(largest, value);
  }
  double sum = 0;
  for (const double value : result) sum += std::exp(value - largest);
  const double normalizer = largest + std::log(sum);
  for (double& value : result) value -= normalizer;
}

Tensor plain(const Tensor& tensor) {
  return tensor.to(at::kCPU, at::kFloat).contiguous();
}

/// Phi(x), the distribution function of the normal distribution.
double normal_distribution(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

}  // namespace

std::vector<std::int8_t> judge_top1(const Tensor& scores, const Tensor& labels) {
  base::invariant(scores.dim() == 2 && labels.numel() == scores.size(0), "scores without labels");
  const Tensor values = plain(scores);
  const Tensor wanted = labels.to(at::kCPU, at::kLong).contiguous();
  const std::int64_t classes = scores.size(1);
  std::vector<std::int8_t> result;
  for (std::int64_t image = 0; image < scores.size(0); ++image) {
    const float* row = values.const_data_ptr<float>() + image * classes;
    const std::int64_t label = wanted.const_data_ptr<std::int64_t>()[image];
    const bool finite = std::all_of(row, row + classes, [](float x) { return std::isfinite(x); });
    const std::int64_t best = std::max_element(row, row + classes) - row;
    const bool correct = finite && best == label;
    result.push_back(static_cast<std::int8_t>(label < 0 ? -1 : correct ? 1 : 0));
  }
  return result;
}

std::vector<double> divergences(const Tensor& outputs, const Tensor& reference) {
  base::invariant(outputs.sizes() == reference.sizes() && outputs.dim() >= 2,
                  "outputs of different shapes");
  const Tensor student = plain(outputs);
  const Tensor teacher = plain(reference);
  const std::int64_t images = outputs.size(0);
  const std::int64_t classes = outputs.size(1);
  const std::int64_t positions = images * classes == 0 ? 0 : outputs.numel() / (images * classes);
  std::vector<double> result;
  std::vector<double> log_p;
  std::vector<double> log_q;
  for (std::int64_t image = 0; image < images; ++image) {
    double sum = 0;
    for (std::int64_t position = 0; position < positions; ++position) {
      const std::int64_t start = image * classes * positions + position;
      log_softmax(teacher.const_data_ptr<float>() + start, classes, positions, log_p);
      log_softmax(student.const_data_ptr<float>() + start, classes, positions, log_q);
      for (std::size_t index = 0; index < log_p.size(); ++index) {
        sum += std::exp(log_p[index]) * (log_p[index] - log_q[index]);
      }
    }
    const double value = kDivergenceTemperature * kDivergenceTemperature * sum /
                         static_cast<double>(std::max<std::int64_t>(positions, 1));
    const bool usable = std::isfinite(value) && value < kLargestDivergence;
    result.push_back(usable ? std::max(value, 0.0) : kLargestDivergence);
  }
  return result;
}

void PairedMean::add(double value) {
  ++count_;
  const double before = value - mean_;
  mean_ += before / static_cast<double>(count_);
  squares_ += before * (value - mean_);
}

double PairedMean::half_width(double quantile) const {
  if (count_ < 2) return 0;
  const auto count = static_cast<double>(count_);
  return quantile * std::sqrt(squares_ / (count - 1) / count);
}

std::vector<std::int64_t> looks(std::int64_t images) {
  std::vector<std::int64_t> result;
  for (std::int64_t count = 100; count < images; count *= 2) result.push_back(count);
  return result;
}

double quantile_over(std::size_t num_looks) {
  const double wanted = 1 - 0.025 / static_cast<double>(std::max<std::size_t>(num_looks, 1));
  double low = 0;
  double high = 10;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (normal_distribution(middle) < wanted ? low : high) = middle;
  }
  return high;
}

}  // namespace espalier::recipe
