#include "espalier/exec/kernels/resize_axis.h"

#include <gtest/gtest.h>

namespace espalier::exec {
namespace {

/// Where 17 / 1.7 lies just below 10 (double precision), an element is taken that no engine takes.
TEST(ResizeAxis, CoordinatesHaveSinglePrecision) {
  const ResizeAxis axis{.input = 32, .output = 54, .scale = static_cast<double>(1.7F)};
  const ResizeTaps taps =
      resize_taps(axis, {.coordinates = Coordinates::Asymmetric, .rounding = Rounding::Floor});
  EXPECT_EQ(taps.indices.at(16), 9);
  EXPECT_EQ(taps.indices.at(17), 10);
  EXPECT_EQ(taps.indices.at(34), 20);
  EXPECT_EQ(taps.indices.at(51), 30);
  EXPECT_EQ(taps.indices.back(), 31);
}

}  // namespace
}  // namespace espalier::exec
