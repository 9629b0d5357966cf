#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "espalier/quant/simd/channel_sums.cpp"

#include "espalier/quant/simd/channel_sums.h"

#include <algorithm>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::quant::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Rows summed in float before the sums go to double: enough to hide the conversion, few enough to
/// lose nothing that matters.
constexpr std::size_t kBlock = 64;

void AddRows(std::span<const float> rows, std::span<double> sums, std::span<double> squares) {
  const hn::ScalableTag<float> floats;
  const std::size_t lanes = hn::Lanes(floats);
  const std::size_t width = sums.size();
  const std::size_t height = rows.size() / width;
  float sum_lanes[HWY_MAX_BYTES / sizeof(float)];
  float square_lanes[HWY_MAX_BYTES / sizeof(float)];
  for (std::size_t first = 0; first < height; first += kBlock) {
    const std::size_t last = std::min(first + kBlock, height);
    std::size_t column = 0;
    for (; column + lanes <= width; column += lanes) {
      auto sum = hn::Zero(floats);
      auto square = hn::Zero(floats);
      for (std::size_t row = first; row < last; ++row) {
        const auto value = hn::LoadU(floats, rows.data() + row * width + column);
        sum = hn::Add(sum, value);
        square = hn::Add(square, hn::Mul(value, value));
      }
      hn::StoreU(sum, floats, sum_lanes);
      hn::StoreU(square, floats, square_lanes);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        sums[column + lane] += static_cast<double>(sum_lanes[lane]);
        squares[column + lane] += static_cast<double>(square_lanes[lane]);
      }
    }
    for (; column < width; ++column) {
      float sum = 0;
      float square = 0;
      for (std::size_t row = first; row < last; ++row) {
        const float value = rows[row * width + column];
        sum += value;
        square += value * value;
      }
      sums[column] += static_cast<double>(sum);
      squares[column] += static_cast<double>(square);
    }
  }
}

}  // namespace espalier::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::quant {

HWY_EXPORT(AddRows);

void add_channel_sums(std::span<const float> rows, std::span<double> sums,
                      std::span<double> squares) {
  if (sums.empty()) return;
  HWY_DYNAMIC_DISPATCH(AddRows)(rows, sums, squares);
}

}  // namespace espalier::quant
#endif
