#include "espalier/recipe/image_rows.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

namespace espalier::recipe {
namespace {

/// Eight images in batches of three, and twice their numbers as another value.
struct Batches {
  Tensor rows = at::arange(32, at::kLong).view({8, 2, 2});

  [[nodiscard]] std::vector<Tensor> at_batch(std::size_t batch) const {
    const auto first = static_cast<std::int64_t>(3 * batch);
    const Tensor values = rows.narrow(0, first, std::min<std::int64_t>(3, 8 - first));
    return {values, values.mul(2)};
  }
  [[nodiscard]] std::vector<Tensor> gather(const ImageUnit& unit) const {
    return gather_images(unit, 3, [&](std::size_t batch) { return at_batch(batch); });
  }
};

TEST(ImageRows, PutsImagesOfSeveralBatchesTogether) {
  const Batches batches;
  const std::vector<Tensor> values = batches.gather({.images = {0, 2, 4, 5, 7}});
  ASSERT_EQ(values.size(), 2U);
  const Tensor expected = batches.rows.index_select(0, at::tensor({0, 2, 4, 5, 7}));
  EXPECT_TRUE(at::equal(values[0], expected));
  EXPECT_TRUE(at::equal(values[1], expected.mul(2)));
}

TEST(ImageRows, GivesWholeBatchesWithoutACopy) {
  const Batches batches;
  EXPECT_EQ(batches.gather({.images = {3, 4, 5}})[0].const_data_ptr(),
            batches.at_batch(1)[0].const_data_ptr());
  EXPECT_EQ(batches.gather({.images = {6, 7}})[0].const_data_ptr(),
            batches.at_batch(2)[0].const_data_ptr())
      << "the last one is smaller";
  EXPECT_EQ(batches.gather({.images = {3, 4}})[0].size(0), 2) << "a part of one";
}

TEST(ImageRows, TakesWhatWasKeptFirst) {
  const Batches batches;
  ImageUnit unit{.images = {1, 2}};
  unit.kept = batches.gather(unit);
  unit.num_kept = 2;
  EXPECT_TRUE(at::equal(batches.gather(unit)[0], batches.rows.narrow(0, 1, 2)));
  unit.images.push_back(6);
  const Tensor expected = batches.rows.index_select(0, at::tensor({1, 2, 6}));
  EXPECT_TRUE(at::equal(batches.gather(unit)[0], expected));
  EXPECT_TRUE(at::equal(batches.gather(unit)[1], expected.mul(2)));
}

TEST(ImageRows, KeepsTheMemoryFormat) {
  const Tensor rows = at::arange(48, at::kFloat).view({4, 3, 2, 2});
  const Tensor last = rows.contiguous(at::MemoryFormat::ChannelsLast);
  const std::vector<Tensor> values = gather_images({.images = {1, 2}}, 2, [&](std::size_t batch) {
    return std::vector{last.narrow(0, static_cast<std::int64_t>(2 * batch), 2)};
  });
  EXPECT_TRUE(values[0].is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_TRUE(at::equal(values[0], rows.narrow(0, 1, 2)));
}

}  // namespace
}  // namespace espalier::recipe
