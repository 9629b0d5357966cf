#include "espalier/prune/loss_curve.h"

#include <gtest/gtest.h>

namespace espalier::prune {
namespace {

TEST(LossCurve, InterpolatesFromNothingRemoved) {
  const LossCurve curve{.points = {{.removed = 0.2, .loss = 1}, {.removed = 0.4, .loss = 4}}};
  EXPECT_DOUBLE_EQ(curve.loss_at(0), 0);
  EXPECT_DOUBLE_EQ(curve.loss_at(0.1), 0.5);
  EXPECT_DOUBLE_EQ(curve.loss_at(0.2), 1);
  EXPECT_DOUBLE_EQ(curve.loss_at(0.3), 2.5);
  EXPECT_DOUBLE_EQ(curve.loss_at(0.9), 4);
  EXPECT_DOUBLE_EQ(curve.removed_at(0), 0);
  EXPECT_DOUBLE_EQ(curve.removed_at(0.5), 0.1);
  EXPECT_DOUBLE_EQ(curve.removed_at(2.5), 0.3);
  EXPECT_DOUBLE_EQ(curve.removed_at(4), 0.4);
  EXPECT_DOUBLE_EQ(curve.removed_at(100), 0.4);
}

TEST(LossCurve, NeverFalls) {
  const LossCurve curve{.points = {{.removed = 0.1, .loss = -1},
                                   {.removed = 0.3, .loss = 2},
                                   {.removed = 0.5, .loss = 1},
                                   {.removed = 0.7, .loss = 4}}};
  EXPECT_DOUBLE_EQ(curve.loss_at(0.1), 0);
  EXPECT_DOUBLE_EQ(curve.loss_at(0.2), 1);
  EXPECT_DOUBLE_EQ(curve.loss_at(0.4), 2);
  EXPECT_DOUBLE_EQ(curve.loss_at(0.6), 3);
  EXPECT_DOUBLE_EQ(curve.removed_at(0), 0.1);
  EXPECT_DOUBLE_EQ(curve.removed_at(2), 0.5);
  EXPECT_DOUBLE_EQ(curve.removed_at(3), 0.6);
}

TEST(LossCurve, InvertsItselfWhereItRises) {
  const LossCurve curve{.points = {{.removed = 0.1, .loss = 0.3},
                                   {.removed = 0.35, .loss = 0.4},
                                   {.removed = 0.8, .loss = 9}}};
  for (double removed = 0; removed <= 0.8; removed += 0.01) {
    EXPECT_NEAR(curve.removed_at(curve.loss_at(removed)), removed, 1e-12);
  }
}

TEST(LossCurve, WithoutPointsNothingIsKnownToBeFree) {
  EXPECT_DOUBLE_EQ(LossCurve{}.loss_at(0.5), 0);
  EXPECT_DOUBLE_EQ(LossCurve{}.removed_at(0.5), 0);
}

}  // namespace
}  // namespace espalier::prune
