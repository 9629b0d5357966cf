#include "espalier/recipe/safe_gap.h"

#include <cmath>
#include <limits>

#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/base/random.h"

namespace espalier::recipe {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(SafeGap, GapsAreThoseOfTheNamedClass) {
  const Tensor scores =
      at::tensor({1.0F, 4.0F, 2.5F, 7.0F, 7.0F, -1.0F, NAN, 1.0F, 2.0F}).view({3, 3});
  EXPECT_THAT(best_classes(scores.narrow(0, 0, 2)), testing::ElementsAre(1, 0));
  EXPECT_THAT(class_gaps(scores, {1, 0, 2}), testing::ElementsAre(1.5, 0.0, -kInfinity));
  EXPECT_THAT(class_gaps(scores, {2, 2, 0}), testing::ElementsAre(-1.5, -8.0, -kInfinity));
  EXPECT_THAT(class_gaps(at::tensor({3.0F}).view({1, 1}), {0}), testing::ElementsAre(kInfinity));
}

/// after = 0.5 before - 1 +- 0.25 has the standard error 0.25 (but for n / (n - 2)), so that
/// (5 * 0.25 + 1) / 0.5 is safe.
TEST(SafeGap, IsWhereTheLineLeavesFiveStandardErrors) {
  SafeGap safe;
  for (int image = 0; image < 4000; ++image) {
    const double before = 0.01 * (image / 2);
    safe.add(before, 0.5 * before - 1 + (image % 2 == 0 ? 0.25 : -0.25));
  }
  EXPECT_NEAR(safe.value(), 4.5, 0.01);
}

TEST(SafeGap, NothingIsSafeWithoutEvidence) {
  SafeGap few;
  for (int image = 1; image < SafeGap::kLeastImages; ++image) few.add(image, image);
  EXPECT_EQ(few.value(), kInfinity);
  few.add(1, 1);
  EXPECT_NEAR(few.value(), 0, 1e-5) << "nothing changes";
  few.add(3, -kInfinity);
  EXPECT_EQ(few.value(), kInfinity) << "scores that are not finite";
  SafeGap falling;
  SafeGap constant;
  for (int image = 0; image < 300; ++image) {
    falling.add(image, -image);
    constant.add(2, image);
  }
  EXPECT_EQ(falling.value(), kInfinity);
  EXPECT_EQ(constant.value(), kInfinity);
}

/// Of gaps that a cut changes by normal noise, hardly any that is safe changes its sign.
TEST(SafeGap, HoldsForImagesThatWereNotLookedAt) {
  int left_out = 0;
  int wrong = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    base::Random random(seed);
    SafeGap safe;
    const auto draw = [&] {
      const double before = std::abs(4 * random.normal());
      return std::pair{before, 0.9 * before + 0.5 * random.normal()};
    };
    for (int image = 0; image < 200; ++image) {
      const auto [before, after] = draw();
      safe.add(before, after);
    }
    for (int image = 0; image < 2000; ++image) {
      const auto [before, after] = draw();
      if (before < safe.value()) continue;
      ++left_out;
      wrong += after < 0 ? 1 : 0;
    }
  }
  EXPECT_GT(left_out, 40'000);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace espalier::recipe
