#include "espalier/quant/histogram.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/base/random.h"
#include "tests/kit/expect_error.h"
#include "tests/quant/raw_data.h"

namespace espalier::quant {
namespace {

Histogram histogram_of(std::span<const float> values) {
  Histogram histogram;
  histogram.add(values);
  return histogram;
}

/// Counts straight from the definition.
Histogram::State counted(const std::vector<float>& values) {
  Histogram::State state;
  float magnitude = 0;
  bool any = false;
  for (const float value : values) {
    state.min = any ? std::min(state.min, value) : value;
    state.max = any ? std::max(state.max, value) : value;
    any = true;
    magnitude = std::max(magnitude, std::abs(value));
  }
  state.exponent = Histogram::kSmallestExponent;
  while (static_cast<double>(magnitude) >=
         static_cast<double>(Histogram::kBins) * std::ldexp(1.0, state.exponent)) {
    ++state.exponent;
  }
  for (const float value : values) {
    if (value == 0) {
      ++state.zeros;
      continue;
    }
    const double width = std::ldexp(1.0, state.exponent);
    const auto bin =
        static_cast<std::size_t>(std::floor(std::abs(static_cast<double>(value)) / width));
    auto& bins = value > 0 ? state.positive : state.negative;
    bins.resize(std::max(bins.size(), bin + 1));
    ++bins[bin];
  }
  return state;
}

void expect_equal(const Histogram::State& actual, const Histogram::State& expected) {
  EXPECT_EQ(actual.exponent, expected.exponent);
  EXPECT_EQ(actual.min, expected.min);
  EXPECT_EQ(actual.max, expected.max);
  EXPECT_EQ(actual.zeros, expected.zeros);
  EXPECT_EQ(actual.positive, expected.positive);
  EXPECT_EQ(actual.negative, expected.negative);
}

TEST(Histogram, CountsAsTheDefinitionSays) {
  for (const auto& set : quant_test::raw_data_sets()) {
    SCOPED_TRACE(set.name);
    expect_equal(histogram_of(set.values).state(), counted(set.values));
  }
}

TEST(Histogram, CountsValuesOnBinEdges) {
  std::vector<float> values;
  for (int exponent = -20; exponent <= 20; ++exponent) {
    const auto power = static_cast<float>(std::ldexp(1.0, exponent));
    values.insert(values.end(), {power, -power, std::nextafter(power, 0.0F)});
    expect_equal(histogram_of(values).state(), counted(values));
  }
  const std::vector<float> full{4095.0F, 4096.0F, -8191.0F, 8192.0F};
  expect_equal(histogram_of(full).state(), counted(full));
}

TEST(Histogram, DoesNotDependOnPartitionOrOrder) {
  base::Random random(3);
  for (auto set : quant_test::raw_data_sets(9000)) {
    SCOPED_TRACE(set.name);
    const Histogram whole = histogram_of(set.values);
    random.shuffle(std::span(set.values));
    Histogram in_parts;
    for (std::size_t first = 0; first < set.values.size();) {
      const std::size_t count =
          std::min<std::size_t>(1 + random.below(3000), set.values.size() - first);
      in_parts.add(std::span(set.values).subspan(first, count));
      first += count;
    }
    EXPECT_EQ(in_parts, whole);
    expect_equal(in_parts.state(), whole.state());
  }
}

TEST(Histogram, ZerosAloneDoNotWidenTheBins) {
  const std::vector<float> zeros(5000, 0.0F);
  std::vector<float> small(100, 0.02F);
  Histogram apart;
  apart.add(zeros);
  apart.add(small);
  Histogram together;
  small.insert(small.end(), zeros.begin(), zeros.end());
  together.add(small);
  EXPECT_EQ(apart.width(), together.width());
  EXPECT_LT(apart.width(), 0.02 / 1000) << "thousands of bins in use";
  EXPECT_EQ(apart.zeros(), 5000U);
}

TEST(Histogram, MergesInAnyOrderAndGrouping) {
  const auto sets = quant_test::raw_data_sets(3000);
  std::vector<float> all;
  for (const auto& set : sets) all.insert(all.end(), set.values.begin(), set.values.end());
  Histogram forward;
  Histogram backward;
  for (const auto& set : sets) forward.merge(histogram_of(set.values));
  for (auto set = sets.rbegin(); set != sets.rend(); ++set) {
    backward.merge(histogram_of(set->values));
  }
  Histogram right = histogram_of(sets[1].values);
  right.merge(histogram_of(sets[2].values));
  Histogram grouped = histogram_of(sets[0].values);
  grouped.merge(right);
  for (std::size_t index = 3; index < sets.size(); ++index) {
    grouped.merge(histogram_of(sets[index].values));
  }
  EXPECT_EQ(forward, histogram_of(all));
  EXPECT_EQ(backward, forward);
  EXPECT_EQ(grouped, forward);
}

TEST(Histogram, MergingNothingChangesNothing) {
  const auto set = quant_test::raw_data_sets(100).front();
  Histogram histogram = histogram_of(set.values);
  histogram.merge(Histogram{});
  EXPECT_EQ(histogram, histogram_of(set.values));
  Histogram empty;
  empty.merge(histogram);
  EXPECT_EQ(empty, histogram);
}

TEST(Histogram, CountsBeyond32Bits) {
  Histogram histogram = histogram_of(std::vector<float>{1.5F, -0.25F, 0.0F});
  for (int times = 0; times < 40; ++times) histogram.merge(Histogram(histogram));
  EXPECT_EQ(histogram.finite(), std::uint64_t{3} << 40);
  EXPECT_EQ(histogram.zeros(), std::uint64_t{1} << 40);
  EXPECT_EQ(histogram.positive(3072), std::uint64_t{1} << 40);
}

TEST(Histogram, KeepsExtremesExact) {
  const Histogram histogram = histogram_of(std::vector<float>{0.1F, -7.3F, 5.9F});
  EXPECT_EQ(histogram.min(), -7.3F);
  EXPECT_EQ(histogram.max(), 5.9F);
  const Histogram positive = histogram_of(std::vector<float>{2.5F, 1.25F});
  EXPECT_EQ(positive.min(), 1.25F);
}

TEST(Histogram, GivesExtremesOfSlices) {
  const std::vector<float> values{1, -2, 3, 0, 0, 0, -5, -6, -4};
  std::array<Histogram::Extremes, 3> slices;
  Histogram histogram;
  histogram.add(values, slices);
  EXPECT_EQ(histogram, histogram_of(values));
  EXPECT_EQ(slices[0].low, -2);
  EXPECT_EQ(slices[0].high, 3);
  EXPECT_EQ(slices[1].low, 0);
  EXPECT_EQ(slices[1].high, 0);
  EXPECT_EQ(slices[2].low, -6);
  EXPECT_EQ(slices[2].high, -4);
}

TEST(Histogram, CountsWhatIsNotFiniteApart) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> values(100, 0.5F);
  values[3] = kNan;
  values[50] = -kInfinity;
  values[99] = kInfinity;
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(histogram.nans(), 1U);
  EXPECT_EQ(histogram.infinities(), 2U);
  EXPECT_EQ(histogram.finite(), 97U);
  EXPECT_EQ(histogram.min(), 0.5F);
  EXPECT_EQ(histogram.max(), 0.5F);
  const Histogram only = histogram_of(std::vector<float>{kNan, kInfinity});
  EXPECT_EQ(only.finite(), 0U);
  EXPECT_EQ(only.max(), 0.0F);
}

TEST(Histogram, TakesDenormalsAndNegativeZeroForZero) {
  const Histogram histogram = histogram_of(std::vector<float>{1e-40F, -1e-40F, -0.0F, 0.0F});
  EXPECT_EQ(histogram.zeros(), 4U);
  EXPECT_EQ(histogram.min(), 0.0F);
  EXPECT_EQ(histogram.max(), 0.0F);
}

TEST(Histogram, HoldsTheWholeRangeOfFloat) {
  const std::vector<float> values{std::numeric_limits<float>::max(),
                                  -std::numeric_limits<float>::max(),
                                  std::numeric_limits<float>::min()};
  const Histogram histogram = histogram_of(values);
  EXPECT_EQ(histogram.positive(Histogram::kBins - 1), 1U);
  EXPECT_EQ(histogram.negative(Histogram::kBins - 1), 1U);
  EXPECT_EQ(histogram.positive(0), 1U);
}

TEST(Histogram, IsRestoredFromItsState) {
  for (const auto& set : quant_test::raw_data_sets(500)) {
    const Histogram histogram = histogram_of(set.values);
    EXPECT_EQ(Histogram::from_state(histogram.state()), histogram) << set.name;
  }
  EXPECT_EQ(Histogram::from_state(Histogram().state()), Histogram());
}

TEST(Histogram, RefusesAStateThatContradictsItself) {
  const Histogram::State good = histogram_of(std::vector<float>{1.0F, -2.0F, 0.0F}).state();
  const auto refused = [&](const std::function<void(Histogram::State&)>& change,
                           std::string_view text) {
    Histogram::State bad = good;
    change(bad);
    kit::expect_user_error([&] { (void)Histogram::from_state(bad); }, text);
  };
  refused([](auto& state) { state.exponent += 1; }, "says exponent");
  refused([](auto& state) { state.max = std::numeric_limits<float>::infinity(); }, "finite range");
  refused([](auto& state) { state.min = 5; }, "finite range");
  refused([](auto& state) { state.negative.clear(); }, "negative bins");
  refused([](auto& state) { state.positive.resize(Histogram::kBins + 1); }, "at most 4096");
}

}  // namespace
}  // namespace espalier::quant
