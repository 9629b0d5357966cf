#include "espalier/recipe/safe_images.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/base/random.h"

namespace espalier::recipe {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Scores of images before and after a cut, of which the first have run.
struct Case {
  Tensor before;
  Tensor after;
  std::vector<char> ran;

  Case(std::int64_t images, std::int64_t classes, std::int64_t num_ran)
      : before(at::zeros({images, classes})),
        after(at::zeros({images, classes})),
        ran(static_cast<std::size_t>(images), 0) {
    std::fill_n(ran.begin(), num_ran, 1);
  }
  void set(std::int64_t image, std::int64_t index, double score, double cut_score) {
    before.mutable_data_ptr<float>()[image * before.size(1) + index] = static_cast<float>(score);
    after.mutable_data_ptr<float>()[image * before.size(1) + index] = static_cast<float>(cut_score);
  }
  [[nodiscard]] std::vector<char> safe() const { return find_safe_images(before, after, ran); }
  [[nodiscard]] std::int64_t num_safe() const { return std::ranges::count(safe(), 1); }
};

TEST(SafeImages, LeadsAreThoseOfTheNamedClass) {
  const Tensor scores =
      at::tensor({1.0F, 4.0F, 2.5F, 7.0F, 7.0F, -1.0F, NAN, 1.0F, 2.0F}).view({3, 3});
  EXPECT_THAT(best_classes(scores.narrow(0, 0, 2)), testing::ElementsAre(1, 0));
  EXPECT_THAT(class_leads(scores, {1, 0, 2}), testing::ElementsAre(1.5, 0.0, -kInfinity));
  EXPECT_THAT(class_leads(scores, {2, 2, 0}), testing::ElementsAre(-1.5, -8.0, -kInfinity));
  EXPECT_THAT(class_leads(at::tensor({3.0F}).view({1, 1}), {0}), testing::ElementsAre(kInfinity));
}

/// Two classes whose first one's score s becomes 0.5 s - 1 +- 0.25: the lead is expected to be
/// 0.5 s - 1 with a spread of 0.25, so that s > (5 * 0.25 + 1) / 0.5 is safe.
TEST(SafeImages, AreAheadByFiveSpreads) {
  Case scores(6000, 2, 4000);
  for (int image = 0; image < 6000; ++image) {
    const double score = 0.005 + 0.01 * (image / 2 % 1000);
    scores.set(image, 0, score, 0.5 * score - 1 + (image % 2 == 0 ? 0.25 : -0.25));
  }
  const std::vector<char> safe = scores.safe();
  for (int image = 0; image < 6000; ++image) {
    const double score = 0.005 + 0.01 * (image / 2 % 1000);
    if (std::abs(score - 4.5) < 0.03) continue;
    ASSERT_EQ(safe[static_cast<std::size_t>(image)], score > 4.5 ? 1 : 0) << score;
  }
}

/// Image i shows class i modulo 4. A cut takes much of the scores of one class, and far more
/// for every tenth of its images: that one's images are less safe than others with the same lead.
TEST(SafeImages, KnowWhatACutDoesToAClass) {
  Case scores(4000, 4, 400);
  base::Random random(7);
  for (int image = 0; image < 4000; ++image) {
    const int best = image % 4;
    const double lead = 0.5 + 9.5 * random.uniform();
    for (int index = 0; index < 4; ++index) {
      const double noise = 0.2 * random.normal();
      const double lost = index == 2 && best == 2 ? (image % 40 == 2 ? 4 : 1) : 0;
      const double score = (index == best ? lead : 0) + 0.1 * random.normal();
      scores.set(image, index, score, score - lost + noise);
    }
  }
  const std::vector<char> safe = scores.safe();
  std::array<int, 4> num_safe{};
  for (std::size_t image = 0; image < safe.size(); ++image) num_safe.at(image % 4) += safe[image];
  for (const int other : {0, 1, 3}) EXPECT_GT(num_safe.at(static_cast<std::size_t>(other)), 700);
  EXPECT_LT(num_safe[2], 500);
  EXPECT_GT(num_safe[2], 0);
}

TEST(SafeImages, NothingIsSafeWithoutEvidence) {
  const auto made = [](std::int64_t num_ran, const std::function<double(double)>& after) {
    Case scores(400, 2, num_ran);
    for (int image = 0; image < 400; ++image) {
      scores.set(image, 0, 1 + 0.01 * image, after(1 + 0.01 * image));
    }
    return scores;
  };
  const auto same = [](double score) { return score; };
  EXPECT_EQ(made(kLeastImagesForSafety - 1, same).num_safe(), 0);
  EXPECT_EQ(made(kLeastImagesForSafety, same).num_safe(), 400) << "nothing changes";
  EXPECT_EQ(made(300, [](double score) { return -score; }).num_safe(), 0) << "leads turn round";
  EXPECT_EQ(made(300, [](double) { return 1; }).num_safe(), 400) << "all lead by as much";
  EXPECT_EQ(made(300, [](double) { return 0; }).num_safe(), 0) << "none leads";
  Case broken = made(300, same);
  broken.set(299, 1, 0, NAN);
  EXPECT_EQ(broken.num_safe(), 0) << "scores that are not finite";
  broken.set(299, 1, 0, 0);
  broken.set(300, 1, 0, NAN);
  EXPECT_EQ(broken.num_safe(), 400) << "what has not run is not read";
  Case one(300, 1, 300);
  EXPECT_EQ(one.num_safe(), 0) << "a single class has no lead";
}

/// Of images whose scores a cut changes by normal noise, hardly any that is safe loses its class.
TEST(SafeImages, KeepTheirClassUnderNoise) {
  std::int64_t left_out = 0;
  std::int64_t wrong = 0;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    base::Random random(seed);
    Case scores(2200, 5, 200);
    for (int image = 0; image < 2200; ++image) {
      for (int index = 0; index < 5; ++index) {
        const double score = 2 * random.normal() + (index == image % 5 ? 6 : 0);
        scores.set(image, index, score, 0.9 * score + 0.4 * random.normal());
      }
    }
    const std::vector<char> safe = scores.safe();
    const std::vector<double> after = class_leads(scores.after, best_classes(scores.before));
    for (std::size_t image = 200; image < safe.size(); ++image) {
      left_out += safe[image];
      wrong += safe[image] != 0 && after[image] <= 0 ? 1 : 0;
    }
  }
  EXPECT_GT(left_out, 30'000);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace espalier::recipe
