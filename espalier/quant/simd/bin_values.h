#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace espalier::quant {

/// What one look at a run of floats finds. Magnitudes below 2^-126 count as zero.
struct ValueScan {
  float min = 0;  ///< of the finite values, zeros included; min > max when there is none
  float max = 0;
  std::uint64_t zeros = 0;
  std::uint64_t nans = 0;
  std::uint64_t infinities = 0;
};
[[nodiscard]] ValueScan scan_values(std::span<const float> values);

inline constexpr std::size_t kBinsPerSign = 4096;
/// Values that one call of bin_values may take.
inline constexpr std::size_t kBinChunk = 2048;
/// Counters of one sign after the other, kBinsPerSign each. One set, which with the values at hand
/// fits the first-level cache; several sets against repeated bins measured slower.
using BinCounters = std::array<std::uint32_t, 2 * kBinsPerSign>;

/// Adds 1 to counter trunc(|x| * inverse_width) of the value's sign, for every value that is not
/// zero. All values are finite and |x| * inverse_width < kBinsPerSign.
void bin_values(std::span<const float> values, float inverse_width, BinCounters& counters);

}  // namespace espalier::quant
