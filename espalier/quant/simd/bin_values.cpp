// The two loops that see every calibrated value, compiled for each instruction set and chosen at
// run time (Highway compiles this file once a target by including it again).
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "espalier/quant/simd/bin_values.cpp"

#include "espalier/quant/simd/bin_values.h"

#include <bit>
#include <cmath>
#include <limits>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace espalier::quant::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::uint32_t kMagnitude = 0x7fffffffU;
constexpr std::uint32_t kSmallestNormal = 0x00800000U;
constexpr std::uint32_t kInfinity = 0x7f800000U;

/// Scans finite values; `finite` says whether all were.
ValueScan ScanFinite(std::span<const float> values, bool& finite) {
  const hn::ScalableTag<float> floats;
  const hn::RebindToUnsigned<decltype(floats)> words;
  const std::size_t lanes = hn::Lanes(floats);
  const auto magnitude = hn::Set(words, kMagnitude);
  const auto normal = hn::Set(words, kSmallestNormal);
  auto low = hn::Set(floats, std::numeric_limits<float>::infinity());
  auto high = hn::Set(floats, -std::numeric_limits<float>::infinity());
  auto largest = hn::Zero(words);
  std::uint64_t zeros = 0;
  std::size_t index = 0;
  const auto take = [&](const auto bits) {
    const auto size = hn::And(bits, magnitude);
    const auto tiny = hn::Lt(size, normal);
    const auto value = hn::BitCast(floats, hn::IfThenZeroElse(tiny, bits));
    low = hn::Min(low, value);
    high = hn::Max(high, value);
    largest = hn::Max(largest, size);
    zeros += hn::CountTrue(words, tiny);
  };
  const auto* bits = reinterpret_cast<const std::uint32_t*>(values.data());
  for (; index + lanes <= values.size(); index += lanes) take(hn::LoadU(words, bits + index));
  ValueScan scan{.min = hn::GetLane(hn::MinOfLanes(floats, low)),
                 .max = hn::GetLane(hn::MaxOfLanes(floats, high))};
  std::uint32_t top = hn::GetLane(hn::MaxOfLanes(words, largest));
  for (; index < values.size(); ++index) {
    const std::uint32_t size = bits[index] & kMagnitude;
    const float value = size < kSmallestNormal ? 0.0F : values[index];
    scan.min = value < scan.min ? value : scan.min;
    scan.max = value > scan.max ? value : scan.max;
    top = size > top ? size : top;
    zeros += size < kSmallestNormal ? 1 : 0;
  }
  scan.zeros = zeros;
  finite = top < kInfinity;
  return scan;
}

void BinFinite(std::span<const float> values, float inverse_width, BinCounters& counters) {
  const hn::ScalableTag<float> floats;
  const hn::RebindToUnsigned<decltype(floats)> words;
  const hn::RebindToSigned<decltype(floats)> integers;
  const std::size_t lanes = hn::Lanes(floats);
  const auto magnitude = hn::Set(words, kMagnitude);
  const auto below_normal = hn::Set(words, kSmallestNormal - 1);
  const auto sign = hn::Set(words, std::uint32_t{kBinsPerSign});
  const auto scale = hn::Set(floats, inverse_width);
  constexpr int kSignShift = 31 - std::countr_zero(kBinsPerSign);
  // A compressed vector is stored whole: the lanes past the last index kept are overwritten later.
  alignas(64) std::uint32_t places[kBinChunk + 64];
  std::size_t count = 0;
  std::size_t index = 0;
  const auto* bits = reinterpret_cast<const std::uint32_t*>(values.data());
  for (; index + lanes <= values.size(); index += lanes) {
    const auto word = hn::LoadU(words, bits + index);
    const auto size = hn::And(word, magnitude);
    const auto bin = hn::ConvertTo(integers, hn::Mul(hn::BitCast(floats, size), scale));
    const auto half = hn::And(hn::ShiftRight<kSignShift>(word), sign);
    const auto place = hn::Or(hn::BitCast(words, bin), half);
    const auto kept = hn::Gt(size, below_normal);
    hn::StoreU(hn::Compress(place, kept), words, places + count);
    count += hn::CountTrue(words, kept);
  }
  for (; index < values.size(); ++index) {
    const std::uint32_t size = bits[index] & kMagnitude;
    if (size < kSmallestNormal) continue;
    const auto bin = static_cast<std::uint32_t>(std::bit_cast<float>(size) * inverse_width);
    places[count++] = bin | ((bits[index] >> kSignShift) & std::uint32_t{kBinsPerSign});
  }
  for (std::size_t next = 0; next < count; ++next) ++counters[places[next]];
}

}  // namespace espalier::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::quant {

HWY_EXPORT(ScanFinite);
HWY_EXPORT(BinFinite);

namespace {

/// Value by value, for runs that hold NaN or infinities.
ValueScan scan_any(std::span<const float> values) {
  ValueScan scan{.min = std::numeric_limits<float>::infinity(),
                 .max = -std::numeric_limits<float>::infinity()};
  for (const float raw : values) {
    if (std::isnan(raw)) {
      ++scan.nans;
    } else if (std::isinf(raw)) {
      ++scan.infinities;
    } else {
      const float value = std::abs(raw) < std::numeric_limits<float>::min() ? 0.0F : raw;
      scan.zeros += value == 0.0F ? 1 : 0;
      scan.min = std::min(scan.min, value);
      scan.max = std::max(scan.max, value);
    }
  }
  return scan;
}

}  // namespace

ValueScan scan_values(std::span<const float> values) {
  bool finite = true;
  const ValueScan scan = HWY_DYNAMIC_DISPATCH(ScanFinite)(values, finite);
  return finite ? scan : scan_any(values);
}

void bin_values(std::span<const float> values, float inverse_width, BinCounters& counters) {
  HWY_DYNAMIC_DISPATCH(BinFinite)(values, inverse_width, counters);
}

}  // namespace espalier::quant
#endif
