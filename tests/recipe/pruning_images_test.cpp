#include "espalier/recipe/pruning_images.h"

#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

ir::Graph model() {
  return zoo::build("FashionCNN", {.classes = 4, .seed = 5});
}

TEST(PruningImages, HoldsWholeBatchesAndJudgesOnOtherImages) {
  const PruningImages images(model(), synthetic_splits(400), {.samples = 150}, 40);
  EXPECT_EQ(images.batches().size(), 1U) << "the rest of 22 is no whole batch";
  EXPECT_EQ(images.count(), 128);
  EXPECT_EQ(images.inputs().size(), 1U);
  const train::NextLabelled next = images.labelled();
  EXPECT_TRUE(next().has_value());
  EXPECT_FALSE(next().has_value());
  const auto accuracy = images.accuracy(model());
  ASSERT_EQ(accuracy.size(), 1U) << "top5 of 4 classes says nothing";
  EXPECT_GE(accuracy.at("top1"), 0);
  EXPECT_LE(accuracy.at("top1"), 100);
}

TEST(PruningImages, KeepsASingleShortBatch) {
  EXPECT_EQ(PruningImages(model(), synthetic_splits(40), {.samples = 10}, 0).count(), 10);
}

TEST(PruningImages, FitsABatchThatTheFileFixes) {
  ir::Graph fixed = model();
  onnx::infer_shapes(fixed, {{"image", tensor::make_shape({4, 1, 28, 28})}});
  const PruningImages images(fixed, synthetic_splits(40), {.samples = 10}, 0);
  EXPECT_EQ(images.count(), 8) << "two batches of four";
  EXPECT_EQ(images.accuracy(fixed).size(), 1U);
  kit::expect_user_error(
      [&] { (void)PruningImages(fixed, synthetic_splits(40), {.samples = 3}, 0); },
      "too few images to prune with");
}

}  // namespace
}  // namespace espalier::recipe
