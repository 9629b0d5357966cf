#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/quant/range_method.h"
#include "espalier/tensor/quantize.h"

namespace espalier::quant_test {

/// A named set of values as networks have them.
struct RawData {
  std::string name;
  std::vector<float> values;
};

/// normal, ReLU outputs, heavy tails, one far outlier, shifted, negative only, uniform.
[[nodiscard]] std::vector<RawData> raw_data_sets(std::size_t count = 20000);

/// Sum of squared errors when each value is quantized, straight from the definition.
[[nodiscard]] double exact_squared_error(const std::vector<float>& values,
                                         const tensor::ScaleAndZero& params,
                                         const tensor::QuantGrid& grid);

/// Value at a share of the sorted values (the smallest v with at least that share <= v).
[[nodiscard]] double exact_quantile(std::vector<float> values, double share);
/// The same over magnitudes.
[[nodiscard]] double exact_magnitude_quantile(std::vector<float> values, double share);

/// A quantizer to try a range method with.
struct GridCase {
  std::string name;
  tensor::QuantGrid grid;
  bool symmetric = false;
};
/// u8 asymmetric, u8 symmetric, s8 asymmetric, s8 symmetric, u4 asymmetric, s4 symmetric.
[[nodiscard]] std::vector<GridCase> grid_cases();

}  // namespace espalier::quant_test
