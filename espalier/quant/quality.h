#pragma once

#include "espalier/quant/histogram.h"
#include "espalier/tensor/quantize.h"
#include "espalier/tensor/tensor.h"

namespace espalier::quant {

/// What quantizing the values of a histogram per tensor does to them.
struct Quality {
  double sqnr_db = 0;  ///< 10 log10(signal energy / error energy); at most kMaxSqnrDb
  double clipped = 0;  ///< share of the values outside the represented range
};

/// Said instead of infinity where there is no error or no signal.
inline constexpr double kMaxSqnrDb = 200.0;

[[nodiscard]] Quality quality_of(const Histogram& histogram, const tensor::QuantParams& params);

/// Ratio of energies in decibels, within +-kMaxSqnrDb.
[[nodiscard]] double decibels(double signal, double error);

/// Sum of squares in double: the same bits for any number of threads.
[[nodiscard]] double energy_of(const Tensor& values);

/// Signal to quantization noise of a tensor at hand (weights), from its elements.
[[nodiscard]] double sqnr_db(const Tensor& values, const tensor::QuantParams& params);

}  // namespace espalier::quant
