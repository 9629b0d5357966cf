#include "espalier/recipe/row_order.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace espalier::recipe {
namespace {

TEST(RowOrder, SortsAPartAndKeepsEqualOnes) {
  const std::vector<double> keys = {9, 3, 2, 3, 1, 0};
  EXPECT_THAT(ascending(keys, 1, 5), testing::ElementsAre(4, 2, 1, 3));
  EXPECT_THAT(ascending(keys, 2, 2), testing::IsEmpty());
}

TEST(RowOrder, MovesRowsAmongBatchesOfTheirOwnSizes) {
  const Tensor rows = at::arange(24, at::kLong).view({6, 2, 2});
  std::vector<Tensor> batches = {rows.narrow(0, 0, 2), rows.narrow(0, 2, 2), rows.narrow(0, 4, 1),
                                 rows.narrow(0, 5, 1)};
  move_rows(batches, 2, {4, 2, 3});
  EXPECT_TRUE(at::equal(batches[0], rows.narrow(0, 0, 2)));
  EXPECT_TRUE(at::equal(batches[1], rows.index_select(0, at::tensor({4, 2}))));
  EXPECT_TRUE(at::equal(batches[2], rows.narrow(0, 3, 1)));
  EXPECT_TRUE(at::equal(batches[3], rows.narrow(0, 5, 1)));
  EXPECT_TRUE(at::equal(rows, at::arange(24, at::kLong).view({6, 2, 2}))) << "the old ones stay";
}

}  // namespace
}  // namespace espalier::recipe
