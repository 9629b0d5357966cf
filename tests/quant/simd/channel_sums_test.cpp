#include "espalier/quant/simd/channel_sums.h"

#include <vector>

#include <gtest/gtest.h>

#include "espalier/base/random.h"

namespace espalier::quant {
namespace {

TEST(ChannelSums, AddsColumnsOfAnyShape) {
  base::Random random(5);
  for (const std::size_t width : {1U, 3U, 8U, 17U, 64U}) {
    for (const std::size_t height : {1U, 2U, 63U, 64U, 65U, 200U}) {
      std::vector<float> rows(width * height);
      for (float& value : rows) value = static_cast<float>(random.normal());
      std::vector<double> sums(width, 1.0);
      std::vector<double> squares(width, 2.0);
      add_channel_sums(rows, sums, squares);
      for (std::size_t column = 0; column < width; ++column) {
        double sum = 1.0;
        double square = 2.0;
        for (std::size_t row = 0; row < height; ++row) {
          const auto value = static_cast<double>(rows[row * width + column]);
          sum += value;
          square += value * value;
        }
        ASSERT_NEAR(sums[column], sum, 1e-4) << width << "x" << height;
        ASSERT_NEAR(squares[column], square, 1e-4) << width << "x" << height;
      }
    }
  }
}

// A column's sum is the same wherever the column stands, in a vector or in the tail.
TEST(ChannelSums, DoesNotDependOnTheColumn) {
  base::Random random(6);
  std::vector<float> column(150);
  for (float& value : column) value = static_cast<float>(random.normal());
  constexpr std::size_t kWidth = 37;
  std::vector<float> rows;
  for (const float value : column) rows.insert(rows.end(), kWidth, value);
  std::vector<double> sums(kWidth);
  std::vector<double> squares(kWidth);
  add_channel_sums(rows, sums, squares);
  for (std::size_t index = 1; index < kWidth; ++index) {
    EXPECT_EQ(sums[index], sums[0]);
    EXPECT_EQ(squares[index], squares[0]);
  }
}

}  // namespace
}  // namespace espalier::quant
