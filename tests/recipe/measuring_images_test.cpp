#include "espalier/recipe/measuring_images.h"

#include <ATen/ops/concat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

using testing::HasSubstr;

ir::Graph model() {
  return zoo::build("FashionCNN", {.classes = 4});
}

DataSplits splits(const std::string& train, const std::string& more) {
  return parse_data(parse_yaml("DataLoader:\n  Train: " + train + "\n" + more, "d.yaml"), ".");
}

std::string block(int count, int seed, const std::string& transform = "") {
  return "{dataset: {name: Synthetic, size: 28, channels: 1, classes: 4, count: " +
         std::to_string(count) + ", seed: " + std::to_string(seed) + ", transform_ops: [" +
         transform + "{ToCHWImage: }]}, loader: {num_workers: 0}}";
}

TEST(MeasuringImages, ComeInBatchesOfOneSize) {
  const MeasuringImages images =
      read_measuring_images(synthetic_splits(60), model(), {.samples = 50, .batch = 20});
  ASSERT_EQ(images.batches.size(), 3U);
  EXPECT_EQ(images.batches[0].size(0), 20);
  EXPECT_EQ(images.batches[2].size(0), 10);
  EXPECT_EQ(images.images, 50);
  EXPECT_EQ(images.labelled, 50);
  EXPECT_EQ(images.description, "50 of 60 images of the only split, seed 0");
}

TEST(MeasuringImages, AreNamedByContent) {
  const auto read = [](std::uint64_t seed, std::int64_t batch) {
    return read_measuring_images(synthetic_splits(60), model(),
                                 {.samples = 40, .seed = seed, .batch = batch});
  };
  EXPECT_EQ(read(1, 20).id, read(1, 20).id);
  EXPECT_NE(read(1, 20).id, read(2, 20).id);
  EXPECT_TRUE(at::concat(read(1, 20).batches).equal(at::concat(read(1, 8).batches)));
}

TEST(MeasuringImages, FurtherOnesAreOthers) {
  const MeasuringImages images = read_measuring_images(synthetic_splits(60), model(),
                                                       {.samples = 20, .batch = 20, .further = 40});
  const Tensor measured = images.batches.at(0);
  const Tensor further = at::concat(images.further);
  ASSERT_EQ(further.size(0), 40);
  for (std::int64_t left = 0; left < 20; ++left) {
    for (std::int64_t right = 0; right < 40; ++right) {
      EXPECT_FALSE(measured[left].equal(further[right])) << left << ' ' << right;
    }
  }
}

TEST(MeasuringImages, FurtherOnesAreAsTrainingSeesThem) {
  const auto read = [](const std::string& transform) {
    return read_measuring_images(splits(block(60, 1, transform), "  Eval: " + block(30, 2) + "\n"),
                                 model(), {.samples = 20, .seed = 4, .batch = 20, .further = 40});
  };
  const MeasuringImages plain = read("");
  const MeasuringImages flipped = read("{RandFlipImage: {flip_code: 1}}, ");
  EXPECT_EQ(flipped.id, plain.id) << "what is measured stays as it is";
  ASSERT_EQ(flipped.further.size(), plain.further.size());
  EXPECT_FALSE(at::concat(flipped.further).equal(at::concat(plain.further)));
  const MeasuringImages smaller = read("{RandCropImage: {size: 20}}, ");
  EXPECT_TRUE(at::concat(smaller.further).equal(at::concat(plain.further)));
}

TEST(MeasuringImages, NeverJudgeTheResult) {
  const MeasuringOptions options{.samples = 10};
  const std::string eval = "  Eval: " + block(31, 2) + "\n";
  EXPECT_THAT(read_measuring_images(splits(block(30, 1), eval), model(), options).description,
              HasSubstr("10 of 30 images of the training split"));
  EXPECT_THAT(read_measuring_images(splits(block(30, 1), eval + "  Test: " + block(32, 3)), model(),
                                    options)
                  .description,
              HasSubstr("10 of 31 images of the evaluation split"));
}

TEST(MeasuringImages, StatisticsNeedABatchOfSomeImages) {
  const auto read = [](std::int64_t batch) {
    ir::Graph fixed = model();
    onnx::infer_shapes(fixed, {{"image", tensor::make_shape({batch, 1, 28, 28})}});
    return read_measuring_images(synthetic_splits(60), fixed, {.samples = 32, .further = 20});
  };
  const MeasuringImages images = read(8);
  ASSERT_EQ(images.further.size(), 2U) << "whole batches of 20";
  kit::expect_unsupported([&] { (void)read(4); }, "got a model that fixes a batch of 4");
  kit::expect_user_error([&] { (void)read(32); },
                         "got 20, expected at least 32, the batch that the model fixes");
}

TEST(MeasuringImages, RefuseWhatDoesNotFit) {
  kit::expect_user_error(
      [] {
        (void)read_measuring_images(synthetic_splits(20), model(), {.samples = 15, .further = 6});
      },
      "too few images to measure sensitivities: ");
  kit::expect_user_error(
      [] { (void)read_measuring_images(synthetic_splits(20), zoo::build("ResNet20", {}), {}); },
      "the images do not fit the model");
}

}  // namespace
}  // namespace espalier::recipe
