#include "espalier/base/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace espalier::base {
namespace {

TEST(Random, GivesThePublishedPhiloxVector) {
  // Random123's known answers for philox4x32-10: counter 0, key 0.
  Random random(0);
  EXPECT_EQ(random.next_u32(), 0x6627E8D5U);
  EXPECT_EQ(random.next_u32(), 0xE169C58DU);
  EXPECT_EQ(random.next_u32(), 0xBC57AC4CU);
  EXPECT_EQ(random.next_u32(), 0x9B00DBD8U);
}

TEST(Random, DependsOnSeedAndStreamAlone) {
  Random first(5, 9);
  Random second(5, 9);
  Random other_stream(5, 10);
  Random other_seed(6, 9);
  int equal = 0;
  for (int draw = 0; draw < 100; ++draw) {
    const std::uint64_t value = first.next_u64();
    EXPECT_EQ(value, second.next_u64());
    equal += value == other_stream.next_u64() ? 1 : 0;
    equal += value == other_seed.next_u64() ? 1 : 0;
  }
  EXPECT_EQ(equal, 0);
}

TEST(Random, SeekReachesEveryPosition) {
  Random reference(1, 2);
  std::vector<std::uint32_t> words(40);
  std::ranges::generate(words, [&] { return reference.next_u32(); });
  Random random(1, 2);
  for (const std::size_t position : {0UL, 1UL, 3UL, 4UL, 17UL, 38UL, 5UL}) {
    random.seek(position);
    EXPECT_EQ(random.position(), position);
    EXPECT_EQ(random.next_u32(), words[position]) << position;
    EXPECT_EQ(random.next_u32(), words[position + 1]) << position;
  }
}

TEST(Random, UniformFillsItsIntervalEvenly) {
  Random random(3);
  constexpr int kBins = 20;
  constexpr int kDraws = 40'000;
  std::vector<int> counts(kBins);
  for (int draw = 0; draw < kDraws; ++draw) {
    const double value = random.uniform(-2.0, 3.0);
    ASSERT_GE(value, -2.0);
    ASSERT_LT(value, 3.0);
    ++counts[static_cast<std::size_t>((value + 2.0) / 5.0 * kBins)];
  }
  double chi_square = 0;
  for (const int count : counts) {
    chi_square += std::pow(count - kDraws / kBins, 2) / (kDraws / static_cast<double>(kBins));
  }
  EXPECT_LT(chi_square, 43.8);  // 99.9 % quantile for 19 degrees of freedom
}

TEST(Random, BelowIsUnbiasedAndInRange) {
  Random random(4);
  std::vector<int> counts(7);
  for (int draw = 0; draw < 70'000; ++draw) {
    const std::uint64_t value = random.below(7);
    ASSERT_LT(value, 7U);
    ++counts[value];
  }
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 450);
  EXPECT_EQ(random.below(1), 0U);
  // A bound just above 2^63 rejects nearly half of the draws.
  const std::uint64_t bound = (std::uint64_t{1} << 63) + 1;
  for (int draw = 0; draw < 100; ++draw) EXPECT_LT(random.below(bound), bound);
}

TEST(Random, NormalHasUnitMoments) {
  Random random(5);
  constexpr int kDraws = 100'000;
  double sum = 0;
  double squares = 0;
  double fourth = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    const double value = random.normal();
    ASSERT_TRUE(std::isfinite(value));
    sum += value;
    squares += value * value;
    fourth += std::pow(value, 4);
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.015);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.02);
  EXPECT_NEAR(fourth / kDraws, 3.0, 0.15);
}

TEST(Random, ShuffleIsAPermutationThatTheSeedFixes) {
  std::vector<int> first(50);
  std::iota(first.begin(), first.end(), 0);
  std::vector<int> second = first;
  const std::vector<int> sorted = first;
  Random(6).shuffle(std::span<int>(first));
  Random(6).shuffle(std::span<int>(second));
  EXPECT_EQ(first, second);
  EXPECT_NE(first, sorted);
  std::ranges::sort(first);
  EXPECT_EQ(first, sorted);
}

TEST(Random, ShuffleReachesEveryOrder) {
  Random random(7);
  std::set<std::vector<int>> orders;
  for (int round = 0; round < 500; ++round) {
    std::vector<int> items{0, 1, 2, 3};
    random.shuffle(std::span<int>(items));
    orders.insert(items);
  }
  EXPECT_EQ(orders.size(), 24U);
}

TEST(Mix, OrderMattersAndNeighboursDiffer) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t first = 0; first < 40; ++first) {
    for (std::uint64_t second = 0; second < 40; ++second) seen.insert(mix(first, second));
  }
  EXPECT_EQ(seen.size(), 1600U);
  EXPECT_NE(mix(1, 2), mix(2, 1));
}

}  // namespace
}  // namespace espalier::base
