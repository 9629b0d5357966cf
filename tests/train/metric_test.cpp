#include "espalier/train/metric.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

TEST(TopK, CountsLabelsAmongTheLargest) {
  const Tensor logits = kit::tensor_of({0.1F, 0.9F, 0.5F,  //
                                        3.0F, 2.0F, 1.0F,  //
                                        0.0F, 0.5F, 0.7F},
                                       {3, 3});
  const Tensor labels = kit::integers_of({1, 1, 0});
  EXPECT_EQ(count_top_k(logits, labels, 1), 1);
  EXPECT_EQ(count_top_k(logits, labels, 2), 2);
  EXPECT_EQ(count_top_k(logits, labels, 3), 3);
  EXPECT_EQ(TopK{.k = 5}.name(), "top5");
}

TEST(TopK, OfEqualOutputsTheLowerClassComesFirst) {
  const Tensor logits = kit::tensor_of({1, 1, 1, 1}, {2, 2});
  EXPECT_EQ(count_top_k(logits, kit::integers_of({0, 1}), 1), 1);
}

TEST(TopK, LeavesOutMissingLabelsAndNumbersThatAreNone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor logits = kit::tensor_of({nan, nan, 0.5F, 0.1F, 1.0F, 0.0F}, {3, 2});
  EXPECT_EQ(count_top_k(logits, kit::integers_of({0, -1, 5}), 1), 0);
  EXPECT_EQ(count_labelled(kit::integers_of({0, -1, 5})), 2);
}

TEST(TopK, AgreesWithSortingOnRandomOutputs) {
  const Tensor logits = kit::random_tensor({50, 10}, 3);
  const Tensor labels = kit::integers_of(std::vector<std::int64_t>(50, 4));
  std::int64_t expected = 0;
  const std::vector<double> values = kit::values_of(logits);
  for (std::size_t row = 0; row < 50; ++row) {
    std::vector<double> sorted(values.begin() + static_cast<std::ptrdiff_t>(row * 10),
                               values.begin() + static_cast<std::ptrdiff_t>(row * 10 + 10));
    const double own = sorted[4];
    std::ranges::sort(sorted, std::greater<>());
    if (own >= sorted[2]) ++expected;
  }
  EXPECT_EQ(count_top_k(logits, labels, 3), expected);
  EXPECT_EQ(count_top_k(logits.to(at::kDouble).t().contiguous().t(), labels, 3), expected);
}

TEST(TopK, RefusesOtherShapes) {
  kit::expect_user_error(
      [] {
        (void)count_top_k(kit::tensor_of({1, 2}), kit::integers_of({0}), 1);
      },
      "top-1 needs outputs [N, classes] and labels [N]: got 1 and 1 dimensions");
  kit::expect_user_error(
      [] {
        (void)count_top_k(kit::tensor_of({1, 2}, {1, 2}), kit::integers_of({0, 1}), 5);
      },
      "with 1 and 2 samples");
}

TEST(Meters, AreWeightedMeans) {
  Meters meters;
  meters.add("loss", 1.0, 3.0);
  meters.add("loss", 5.0, 1.0);
  meters.add("empty", 0.0, 0.0);
  EXPECT_DOUBLE_EQ(meters.means().at("loss"), 2.0);
  EXPECT_FALSE(meters.means().contains("empty")) << "nobody knows it";
  Meters other;
  other.restore(meters.state());
  other.add("loss", 2.0, 4.0);
  EXPECT_DOUBLE_EQ(other.means().at("loss"), 2.0);
  other.clear();
  EXPECT_TRUE(other.means().empty());
}

}  // namespace
}  // namespace espalier::train
