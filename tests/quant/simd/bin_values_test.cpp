#include "espalier/quant/simd/bin_values.h"

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "espalier/base/random.h"

namespace espalier::quant {
namespace {

std::vector<float> some_values(std::size_t count, std::uint64_t seed) {
  base::Random random(seed);
  std::vector<float> values;
  for (std::size_t index = 0; index < count; ++index) {
    const double x = random.normal();
    values.push_back(random.below(4) == 0 ? 0.0F : static_cast<float>(x));
  }
  return values;
}

// Every length up to several vectors, so that loops and tails of each instruction set are reached.
TEST(BinValues, ScansRunsOfAnyLength) {
  for (std::size_t count = 1; count <= 70; ++count) {
    const std::vector<float> values = some_values(count, count);
    const ValueScan scan = scan_values(values);
    float low = values[0];
    float high = values[0];
    std::uint64_t zeros = 0;
    for (const float value : values) {
      low = std::min(low, value);
      high = std::max(high, value);
      zeros += value == 0 ? 1 : 0;
    }
    ASSERT_EQ(scan.min, low) << count;
    ASSERT_EQ(scan.max, high) << count;
    ASSERT_EQ(scan.zeros, zeros) << count;
    ASSERT_EQ(scan.nans + scan.infinities, 0U);
  }
}

TEST(BinValues, FindsWhatIsNotFiniteAtAnyPlace) {
  for (std::size_t place = 0; place < 40; ++place) {
    std::vector<float> values(40, 1.0F);
    values[place] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(scan_values(values).nans, 1U) << place;
    values[place] = -std::numeric_limits<float>::infinity();
    const ValueScan scan = scan_values(values);
    EXPECT_EQ(scan.infinities, 1U) << place;
    EXPECT_EQ(scan.min, 1.0F);
  }
}

TEST(BinValues, SaysThatThereIsNoFiniteValue) {
  const ValueScan scan = scan_values(std::vector<float>{std::numeric_limits<float>::quiet_NaN()});
  EXPECT_GT(scan.min, scan.max);
}

TEST(BinValues, BinsRunsOfAnyLength) {
  constexpr float kInverse = 256.0F;
  for (std::size_t count = 1; count <= kBinChunk; count = count * 3 / 2 + 1) {
    const std::vector<float> values = some_values(count, count);
    const auto counters = std::make_unique<BinCounters>();
    bin_values(values, kInverse, *counters);
    BinCounters expected{};
    for (const float value : values) {
      if (value == 0) continue;
      const auto bin = static_cast<std::size_t>(std::floor(std::abs(value) * kInverse));
      ++expected[bin + (value < 0 ? kBinsPerSign : 0)];
    }
    ASSERT_EQ(*counters, expected) << count;
  }
}

TEST(BinValues, AddsToWhatIsThere) {
  const auto counters = std::make_unique<BinCounters>();
  bin_values(std::vector<float>{1.0F, -1.0F}, 1.0F, *counters);
  bin_values(std::vector<float>{1.5F}, 1.0F, *counters);
  EXPECT_EQ((*counters)[1], 2U);
  EXPECT_EQ((*counters)[kBinsPerSign + 1], 1U);
}

}  // namespace
}  // namespace espalier::quant
