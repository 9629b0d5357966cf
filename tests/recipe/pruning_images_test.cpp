#include "espalier/recipe/pruning_images.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
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

TEST(PruningImages, FisherNeedsSingleImages) {
  ir::Graph fixed = model();
  onnx::infer_shapes(fixed, {{"image", tensor::make_shape({4, 1, 28, 28})}});
  const PruningImages images(fixed, synthetic_splits(40), {.samples = 8}, 0);
  kit::expect_unsupported(
      [&] {
        (void)criterion_gradients(fixed, prune::Evidence::SquaredGradients, images.batches());
      },
      "got a model that fixes a batch of 4, expected a free batch dimension");
  EXPECT_FALSE(criterion_gradients(fixed, prune::Evidence::Gradients, images.batches()).empty());
}

TEST(PruningImages, GivesCriteriaWhatTheyLookAt) {
  const PruningImages images(model(), synthetic_splits(600), {.samples = 256}, 0);
  ASSERT_EQ(images.batches().size(), 2U);
  EXPECT_FALSE(needs_gradients(prune::Evidence::Weights));
  EXPECT_FALSE(needs_gradients(prune::Evidence::Scales));
  EXPECT_TRUE(criterion_gradients(model(), prune::Evidence::Weights, images.batches()).empty());
  const auto of = [&](const std::vector<data::Batch>& batches) {
    return criterion_gradients(model(), prune::Evidence::Gradients, batches);
  };
  const exec::TensorMap all = of(images.batches());
  const exec::TensorMap first = of({images.batches()[0]});
  const exec::TensorMap second = of({images.batches()[1]});
  ASSERT_FALSE(all.empty());
  for (const auto& [name, gradient] : all) {
    EXPECT_TRUE(at::allclose(gradient, (first.at(name) + second.at(name)) / 2, 1e-4, 1e-7)) << name;
  }
  for (const auto& [name, square] :
       criterion_gradients(model(), prune::Evidence::SquaredGradients, images.batches())) {
    EXPECT_TRUE(square.ge(all.at(name) * all.at(name) * 0.999).all().item<bool>()) << name;
  }
}

}  // namespace
}  // namespace espalier::recipe
