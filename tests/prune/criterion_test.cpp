#include "espalier/prune/criterion.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::prune {
namespace {

using testing::DoubleEq;
using testing::DoubleNear;
using testing::ElementsAre;

Tensor rows_of(const std::vector<float>& values, const kit::Sizes& sizes) {
  return kit::tensor_of(values, sizes).to(at::kDouble);
}

std::vector<double> score(std::string_view name, const FilterRows& rows) {
  return kit::values_of(find_criterion(name).score(rows));
}

/// Three filters of two elements: (3, -4), (0, 0), (-1, 2).
FilterRows three_filters() {
  return {.weights = rows_of({3, -4, 0, 0, -1, 2}, {3, 2}),
          .gradients = rows_of({1, 0.5, 7, 7, 2, -1}, {3, 2})};
}

TEST(Criterion, MagnitudesSumUp) {
  EXPECT_THAT(score("l1", three_filters()), ElementsAre(7, 0, 3));
  EXPECT_THAT(score("l2", three_filters()), ElementsAre(5, 0, DoubleEq(std::sqrt(5.0))));
}

TEST(Criterion, MedianFiltersAreNearToAllOthers) {
  // Distances: 5 between the first two, sqrt(16 + 36) and sqrt(1 + 4) to the third.
  const double first_third = std::sqrt(52.0);
  const double second_third = std::sqrt(5.0);
  EXPECT_THAT(score("fpgm", three_filters()),
              ElementsAre(DoubleNear(5 + first_third, 1e-12), DoubleNear(5 + second_third, 1e-12),
                          DoubleNear(first_third + second_third, 1e-12)));
}

TEST(Criterion, MedianDistancesAgreeWithALoopOverPairs) {
  const std::int64_t filters = 17;
  const std::int64_t elements = 45;
  const Tensor weights = kit::random_tensor({filters, elements}, 3, {.type = at::kDouble});
  const std::vector<double> flat = kit::values_of(weights);
  const std::vector<double> scores = score("fpgm", {.weights = weights, .gradients = {}});
  for (std::int64_t first = 0; first < filters; ++first) {
    double expected = 0;
    for (std::int64_t second = 0; second < filters; ++second) {
      double square = 0;
      for (std::int64_t place = 0; place < elements; ++place) {
        const double gap = flat[static_cast<std::size_t>(first * elements + place)] -
                           flat[static_cast<std::size_t>(second * elements + place)];
        square += gap * gap;
      }
      expected += std::sqrt(square);
    }
    EXPECT_NEAR(scores[static_cast<std::size_t>(first)], expected, 1e-11);
  }
}

TEST(Criterion, EqualFiltersScoreEqually) {
  const FilterRows rows{.weights = rows_of({0.1F, 0.2F, 5, 5, 0.1F, 0.2F, -3, 1}, {4, 2}),
                        .gradients = {}};
  for (const std::string_view name : {"l1", "l2", "fpgm"}) {
    const std::vector<double> scores = score(name, rows);
    EXPECT_EQ(scores[0], scores[2]) << name;
  }
}

TEST(Criterion, FactorsOfNormalizationsCountByMagnitude) {
  EXPECT_THAT(score("bn_scale", {.weights = rows_of({-2, 0, 0.5F}, {3, 1}), .gradients = {}}),
              ElementsAre(2, 0, 0.5));
}

TEST(Criterion, ChangesAreSquaredBeforeTheMean) {
  const FilterRows rows{.weights = rows_of({1, 1, 1}, {3, 1}),
                        .gradients = rows_of({1, -1, 0, 0, 3, 1}, {3, 2})};
  EXPECT_THAT(score("taylor", rows), ElementsAre(1, 0, 5));
}

TEST(Criterion, FisherWeighsSquaresByCurvature) {
  // (9 * 1 + 16 * 0.5) / 2, 0, (1 * 2 + 4 * 1) / 2.
  const FilterRows rows{.weights = rows_of({3, -4, 0, 0, -1, 2}, {3, 2}),
                        .gradients = rows_of({1, 0.5, 7, 7, 2, 1}, {3, 2})};
  EXPECT_THAT(score("fisher", rows), ElementsAre(8.5, 0, 3));
}

TEST(Criterion, RandomScoresDependOnTheSeedAlone) {
  FilterRows rows = three_filters();
  rows.seed = 5;
  const std::vector<double> first = score("random", rows);
  rows.weights = rows.weights.square();
  EXPECT_EQ(score("random", rows), first);
  EXPECT_THAT(first, testing::Each(testing::AllOf(testing::Ge(0.0), testing::Lt(1.0))));
  rows.seed = 6;
  EXPECT_NE(score("random", rows), first);
}

TEST(Criterion, UnknownNamesAreRefused) {
  kit::expect_user_error([] { (void)find_criterion("fpgn"); }, "did you mean 'fpgm'");
  EXPECT_THAT(criterion_names(),
              ElementsAre("l1", "l2", "fpgm", "bn_scale", "taylor", "fisher", "random"));
}

}  // namespace
}  // namespace espalier::prune
