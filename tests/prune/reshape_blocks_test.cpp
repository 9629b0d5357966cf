#include "espalier/prune/reshape_blocks.h"

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace espalier::prune {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

tensor::Shape shape_of(const std::vector<std::int64_t>& sizes) {
  return tensor::make_shape(sizes);
}

/// A shape whose first size is unknown.
tensor::Shape batched(const std::vector<std::int64_t>& sizes, const std::string& symbol = "") {
  tensor::Shape shape = shape_of(sizes);
  shape.insert(shape.begin(), tensor::Dim{.size = std::nullopt, .symbol = symbol});
  return shape;
}

TEST(ReshapeBlocks, EqualSizesCorrespondAndOnesDoNot) {
  const AlignedShapes aligned = align_shapes(shape_of({2, 6, 1, 5}), shape_of({1, 2, 6, 5, 1}));
  EXPECT_THAT(aligned.same, ElementsAre(Pair(0U, 1U), Pair(1U, 2U), Pair(3U, 3U)));
  EXPECT_THAT(aligned.blocks, IsEmpty());
}

TEST(ReshapeBlocks, TheShortestRunsOfEqualProductsAreBlocks) {
  const AlignedShapes aligned = align_shapes(shape_of({2, 6, 4, 4}), shape_of({2, 2, 3, 16}));
  EXPECT_THAT(aligned.same, ElementsAre(Pair(0U, 0U)));
  EXPECT_THAT(aligned.blocks, ElementsAre(AxisBlock{.inputs = {1}, .outputs = {1, 2}},
                                          AxisBlock{.inputs = {2, 3}, .outputs = {3}}));
}

TEST(ReshapeBlocks, OneUnknownBatchCorresponds) {
  const AlignedShapes aligned = align_shapes(batched({6, 4}), batched({24}));
  EXPECT_THAT(aligned.same, ElementsAre(Pair(0U, 0U)));
  EXPECT_THAT(aligned.blocks, ElementsAre(AxisBlock{.inputs = {1, 2}, .outputs = {1}}));
  const AlignedShapes by_name = align_shapes(batched({6, 4}, "N"), batched({6, 2, 2}, "N"));
  EXPECT_THAT(by_name.same, ElementsAre(Pair(0U, 0U), Pair(1U, 1U)));
}

TEST(ReshapeBlocks, UnknownSizesThatTakePartInAMergeMatchNothing) {
  const AlignedShapes aligned = align_shapes(batched({6, 4}), batched({9}));
  EXPECT_THAT(aligned.same, IsEmpty());
  EXPECT_FALSE(aligned.repeated.has_value());
  EXPECT_THAT(aligned.unmatched_inputs, ElementsAre(0U, 1U, 2U));
  EXPECT_THAT(aligned.unmatched_outputs, ElementsAre(0U, 1U));
  // Innermost axes of equal sizes correspond whatever is in front of them.
  const AlignedShapes inner = align_shapes(batched({6, 4}), batched({4}));
  EXPECT_THAT(inner.same, ElementsAre(Pair(2U, 1U)));
  EXPECT_THAT(inner.unmatched_inputs, ElementsAre(0U, 1U));
  EXPECT_THAT(inner.unmatched_outputs, ElementsAre(0U));
}

TEST(ReshapeBlocks, InnermostAxesBehindUnknownSizesRepeat) {
  // Heads of 8 that are merged with the batch, and the way back.
  tensor::Shape merged = batched({8});
  merged.insert(merged.begin(), tensor::Dim{.size = 5, .symbol = ""});
  tensor::Shape split = batched({32}, "N");
  split.insert(split.begin(), tensor::Dim{.size = 5, .symbol = ""});
  for (const AlignedShapes& aligned : {align_shapes(split, merged), align_shapes(merged, split)}) {
    EXPECT_THAT(aligned.same, ElementsAre(Pair(0U, 0U)));
    EXPECT_EQ(aligned.repeated, std::optional(std::pair<std::size_t, std::size_t>(2, 2)));
    EXPECT_THAT(aligned.unmatched_inputs, ElementsAre(1U));
    EXPECT_THAT(aligned.unmatched_outputs, ElementsAre(1U));
  }
}

TEST(ReshapeBlocks, FactorsAreThoseOfBothSides) {
  const auto factors = common_factors({6, 4}, {2, 12});
  ASSERT_TRUE(factors.has_value());
  EXPECT_THAT(
      *factors,
      ElementsAre(
          Factor{.size = 2, .input = 0, .input_stride = 3, .output = 0, .output_stride = 1},
          Factor{.size = 3, .input = 0, .input_stride = 1, .output = 1, .output_stride = 4},
          Factor{.size = 4, .input = 1, .input_stride = 1, .output = 1, .output_stride = 1}));
  EXPECT_FALSE(common_factors({6, 4}, {4, 6}).has_value());
}

/// Coordinate of a flat position within a factor, by the side that is asked for.
std::int64_t coordinate(std::int64_t flat, const std::vector<std::int64_t>& sizes, std::size_t axis,
                        std::int64_t stride, std::int64_t size) {
  std::int64_t inside = 1;
  for (std::size_t inner = axis + 1; inner < sizes.size(); ++inner) inside *= sizes[inner];
  return flat / inside % sizes[axis] / stride % size;
}

TEST(ReshapeBlocks, EveryElementHasTheSameCoordinatesOnBothSides) {
  const std::vector<std::int64_t> input{4, 6, 5};
  const std::vector<std::int64_t> output{2, 2, 3, 10};
  const auto factors = common_factors(input, output);
  ASSERT_TRUE(factors.has_value());
  const std::int64_t elements =
      std::accumulate(input.begin(), input.end(), std::int64_t{1}, std::multiplies<>{});
  std::int64_t product = 1;
  for (const Factor& factor : *factors) {
    product *= factor.size;
    for (std::int64_t flat = 0; flat < elements; ++flat) {
      EXPECT_EQ(coordinate(flat, input, factor.input, factor.input_stride, factor.size),
                coordinate(flat, output, factor.output, factor.output_stride, factor.size));
    }
  }
  EXPECT_EQ(product, elements);
}

}  // namespace
}  // namespace espalier::prune
