#include "espalier/tensor/shape.h"

#include <limits>

#include <gtest/gtest.h>

namespace espalier::tensor {
namespace {

const Dim kBatch{.size = std::nullopt, .symbol = "N"};
const Dim kUnknown{};

TEST(Shape, KnownSizesComeBack) {
  EXPECT_EQ(known_sizes(make_shape({2, 3, 0})), (std::vector<std::int64_t>{2, 3, 0}));
  EXPECT_EQ(known_sizes({}), std::vector<std::int64_t>{});
  EXPECT_EQ(known_sizes({kBatch, {.size = 3, .symbol = {}}}), std::nullopt);
}

TEST(Shape, CountsElements) {
  EXPECT_EQ(num_elements({}), 1);
  EXPECT_EQ(num_elements(make_shape({2, 3, 4})), 24);
  EXPECT_EQ(num_elements(make_shape({2, 0, 4})), 0);
  EXPECT_EQ(num_elements({kUnknown}), std::nullopt);
}

TEST(Shape, AnOverflowingProductIsUnknown) {
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(num_elements(make_shape({huge})), huge);
  EXPECT_EQ(num_elements(make_shape({huge, 2})), std::nullopt);
  EXPECT_EQ(num_elements(make_shape({std::int64_t{1} << 40, std::int64_t{1} << 40})), std::nullopt);
}

TEST(Shape, IsWrittenWithSymbols) {
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(Shape{kBatch, {.size = 3, .symbol = {}}, kUnknown}), "[N, 3, ?]");
}

TEST(Shape, EqualityLooksAtSizeAndSymbol) {
  EXPECT_EQ(make_shape({1, 2}), make_shape({1, 2}));
  EXPECT_NE(make_shape({1, 2}), make_shape({1}));
  EXPECT_NE(Shape{kBatch}, Shape{kUnknown});
}

}  // namespace
}  // namespace espalier::tensor
