#include "espalier/quant/quality.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>

#include "espalier/quant/distribution.h"
#include "espalier/tensor/worker_threads.h"

namespace espalier::quant {

double decibels(double signal, double error) {
  if (error <= 0 || signal <= 0) return error <= 0 ? kMaxSqnrDb : -kMaxSqnrDb;
  return std::clamp(10.0 * std::log10(signal / error), -kMaxSqnrDb, kMaxSqnrDb);
}

Quality quality_of(const Histogram& histogram, const tensor::QuantParams& params) {
  const Distribution distribution(histogram);
  const tensor::ScaleAndZero pair{params.scale.front(), params.zero_point.front()};
  const double error = distribution.squared_error(pair, params.grid);
  const double outside = distribution.outside(represented_range(pair, params.grid));
  return {.sqnr_db = decibels(distribution.energy(), error),
          .clipped = distribution.count() > 0 ? std::max(outside, 0.0) / distribution.count() : 0};
}

double energy_of(const Tensor& values) {
  const tensor::OneIntraThread one;  // sums in another order would differ in the last bits
  return values.to(at::kDouble).square().sum().item<double>();
}

double sqnr_db(const Tensor& values, const tensor::QuantParams& params) {
  const Tensor exact = values.to(at::kDouble);
  const Tensor error = tensor::fake_quantize(values, params).to(at::kDouble) - exact;
  return decibels(energy_of(exact), energy_of(error));
}

}  // namespace espalier::quant
