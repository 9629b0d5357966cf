#include "espalier/recipe/pruning_images.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "espalier/recipe/data_yaml.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
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
  const auto accuracy = images.accuracy(model());
  ASSERT_EQ(accuracy.size(), 1U) << "top5 of 4 classes says nothing";
  EXPECT_GE(accuracy.at("top1"), 0);
  EXPECT_LE(accuracy.at("top1"), 100);
}

TEST(PruningImages, AreForStatisticsAsTrainingSeesThem) {
  const auto with = [&](const std::string& transform) {
    const auto split = [](const std::string& first, int seed) {
      return fmt::format(
          "{{dataset: {{name: Synthetic, size: 28, channels: 1, classes: 4, count: 200, seed: {}, "
          "transform_ops: [{}{{ToCHWImage: }}]}}, sampler: {{batch_size: 16}}}}\n",
          seed, first);
    };
    const std::string text = "train: " + split(transform, 1) + "eval: " + split("", 2);
    return PruningImages(model(), parse_data(parse_yaml(text, "d.yaml"), "."), {.samples = 150}, 0);
  };
  const PruningImages plain = with("");
  ASSERT_EQ(plain.training_inputs().size(), 1U);
  EXPECT_THAT(plain.training_inputs()[0][0], kit::HasSameBits(plain.inputs()[0][0]));

  const PruningImages flipped = with("{RandFlipImage: {flip_code: 1}}, ");
  EXPECT_THAT(flipped.inputs()[0][0], kit::HasSameBits(plain.inputs()[0][0]));
  const std::vector<std::vector<Tensor>> seen = flipped.training_inputs();
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0][0].sizes(), plain.inputs()[0][0].sizes());
  EXPECT_NE(kit::bit_difference(seen[0][0], plain.inputs()[0][0]), "");
  EXPECT_THAT(flipped.training_inputs()[0][0], kit::HasSameBits(seen[0][0])) << "drawn by the seed";

  const PruningImages smaller = with("{RandCropImage: {size: 20}}, ");
  EXPECT_THAT(smaller.training_inputs()[0][0], kit::HasSameBits(plain.inputs()[0][0]));
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

TEST(PruningImages, FisherNeedsSingleImages) {
  ir::Graph fixed = model();
  onnx::infer_shapes(fixed, {{"image", tensor::make_shape({4, 1, 28, 28})}});
  const PruningImages images(fixed, synthetic_splits(40), {.samples = 8}, 0);
  prune::ScoreOptions fisher{.criterion = "fisher"};
  kit::expect_unsupported([&] { add_evidence(fisher, fixed, images.batches()); },
                          "got a model that fixes a batch of 4, expected a free batch dimension");
  prune::ScoreOptions taylor{.criterion = "taylor"};
  add_evidence(taylor, fixed, images.batches());
  ASSERT_FALSE(taylor.changes.empty());
  EXPECT_EQ(taylor.changes.begin()->second.size(1), 2) << "two batches of four";
}

TEST(PruningImages, GivesCriteriaWhatTheyLookAt) {
  const ir::Graph graph = model();
  const PruningImages images(graph, synthetic_splits(600), {.samples = 256}, 0);
  ASSERT_EQ(images.batches().size(), 2U);
  EXPECT_FALSE(needs_gradients(prune::Evidence::Weights));
  EXPECT_FALSE(needs_gradients(prune::Evidence::Scales));
  prune::ScoreOptions weights;
  add_evidence(weights, graph, images.batches());
  EXPECT_TRUE(weights.changes.empty());
  EXPECT_TRUE(weights.squared_gradients.empty());
  prune::ScoreOptions taylor{.criterion = "taylor"};
  add_evidence(taylor, graph, images.batches());
  prune::ScoreOptions fisher{.criterion = "fisher"};
  add_evidence(fisher, graph, images.batches());
  ASSERT_FALSE(taylor.changes.empty());
  for (const auto& [axis, changes] : taylor.changes) {
    EXPECT_EQ(changes.size(0), axis.value->constant().size(static_cast<std::int64_t>(axis.axis)));
    EXPECT_EQ(changes.size(1), 256 / 8);
    EXPECT_TRUE(fisher.squared_gradients.contains(axis.value->name()));
  }
}

}  // namespace
}  // namespace espalier::recipe
