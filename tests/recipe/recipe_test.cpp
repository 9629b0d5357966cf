#include "espalier/recipe/recipe.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

constexpr const char* kHead = "version: 1\nmodel: {zoo: FashionCNN}\n";

Recipe recipe_of(const std::string& text) {
  return parse_recipe(parse_yaml(text, "r.yaml"), ".");
}

void refused(const std::string& text, std::string_view message) {
  kit::expect_user_error([&] { (void)recipe_of(text); }, message);
}

TEST(Recipe, ReadsAllParts) {
  const Recipe recipe = recipe_of(R"(
version: 1
seed: 7
model: {zoo: MobileNetV1, scale: 0.5, classes: 10, image_size: 32}
data:
  train: {dataset: {name: Synthetic, count: 8}, sampler: {batch_size: 4}}
  eval: {dataset: {name: Synthetic, count: 4}}
  calibration: {from: train, samples: 16, seed: 3}
metrics: [top1, top5]
stages:
  - train: {epochs: 3}
  - quantize: {target: x86}
  - export: {opset: 18}
output: runs/x
)");
  EXPECT_EQ(recipe.seed, 7U);
  const auto& model = std::get<ZooModel>(recipe.model.source);
  EXPECT_EQ(model.name, "MobileNetV1");
  EXPECT_DOUBLE_EQ(model.options.scale, 0.5);
  EXPECT_EQ(model.options.seed, 7U);
  EXPECT_EQ(recipe.data.for_training().sampler.batch_size, 4);
  EXPECT_EQ(recipe.calibration.samples, 16U);
  EXPECT_EQ(recipe.calibration.seed, 3U);
  ASSERT_EQ(recipe.metrics.size(), 2U);
  EXPECT_EQ(recipe.metrics[1].k, 5);
  ASSERT_EQ(recipe.stages.size(), 3U);
  EXPECT_EQ(std::get<TrainStage>(recipe.stages[0]).options.epochs, 3);
  EXPECT_EQ(std::get<ExportStage>(recipe.stages[2]).opset, 18);
  EXPECT_EQ(stage_name(recipe.stages[1]), "quantize");
}

TEST(Recipe, CodesOfMoreThan8BitsNeedALaterOpset) {
  const std::string fine = "stages:\n  - quantize: {weights: {bits: 9}}\n";
  refused(std::string(kHead) + fine, "got 9 bits at opset 17, expected opset 21 or later");
  refused(std::string(kHead) +
              "stages:\n  - train:\n      strategies:\n"
              "        - quantize: {bits: [{match: a, activations: 16}]}\n"
              "  - export: {opset: 21}\n",
          "got 16 bits at opset 17");
  EXPECT_EQ(export_opset(recipe_of(std::string(kHead) + fine + "  - export: {opset: 21}\n")), 21);
}

TEST(Recipe, PruningsKnowOfTheTrainingsBehindThem) {
  const auto trained = [](const std::string& behind) {
    const Recipe recipe = recipe_of(std::string(kHead) + "stages:\n  - train: {epochs: 1}\n" +
                                    "  - prune: {target_macs: 0.5}\n" + behind);
    return std::get<PruneStage>(recipe.stages[1]).trained_later;
  };
  EXPECT_FALSE(trained(""));
  EXPECT_FALSE(trained("  - quantize: {}\n"));
  EXPECT_TRUE(trained("  - train: {epochs: 1}\n"));
  EXPECT_TRUE(trained("  - quantize: {mode: qat, train: {epochs: 1}}\n"));
}

TEST(Recipe, NamesMisspeltKeysWithLine) {
  refused(std::string(kHead) + "stage: []\n", "'stages'");
  refused(std::string(kHead) + "stages:\n  - trian: {epochs: 1}\n",
          "unknown stage 'trian': r.yaml:4 (did you mean 'train')");
  refused(std::string(kHead) + "stages:\n  - train: {epoch: 1}\n", "did you mean 'epochs'");
  refused(std::string(kHead) + "sed: 1\nstages:\n  - train: {}\n", "did you mean 'seed'");
  refused("version: 2\nmodel: {zoo: X}\nstages: []\n", "an integer from 1 to 1");
  refused("version: 1\nmodel: {zoo: X, onnx: y}\nstages: []\n", "one of the keys 'zoo' and 'onnx'");
  refused(std::string(kHead) + "stages: []\n", "the recipe has no stage");
  refused(std::string(kHead) + "metrics: []\nstages:\n  - train: {}\n",
          "got an empty list, expected a list such as [top1, top5]");
  refused(std::string(kHead) + "metrics: [map]\nstages:\n  - train: {}\n", "unknown metric 'map'");
  refused(std::string(kHead) + "stages:\n  - train: {epochs: x}\n", "got 'x'");
}

TEST(Recipe, SaysWhatDoesNotExistYet) {
  kit::expect_unsupported([] { (void)recipe_of(std::string(kHead) + "stages:\n  - distil: {}\n"); },
                          "stage 'distil' is not supported");
}

TEST(Recipe, OverridesCountBeforeReading) {
  const kit::TemporaryFolder folder;
  const std::string path =
      folder.write("r.yaml", std::string(kHead) + "stages:\n  - train: {epochs: 1}\n");
  const Recipe recipe = load_recipe(path, {"stages.0.train.epochs=5", "seed=9"});
  EXPECT_EQ(std::get<TrainStage>(recipe.stages[0]).options.epochs, 5);
  EXPECT_EQ(recipe.seed, 9U);
  EXPECT_NE(recipe.resolved.find("epochs: 5"), std::string::npos);
}

TEST(Recipe, FindsDataFilesBesideIt) {
  const kit::TemporaryFolder folder;
  folder.write("d.yaml", "dataset: {name: Synthetic, count: 8}\n");
  const std::string path = folder.write(
      "r.yaml", std::string(kHead) + "data: {train: d.yaml}\nstages:\n  - train: {}\n");
  EXPECT_EQ(load_recipe(path, {}).data.for_training().dataset.name, "Synthetic");
}

}  // namespace
}  // namespace espalier::recipe
