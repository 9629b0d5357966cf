#include "espalier/recipe/resuming.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace espalier::recipe {
namespace {

constexpr const char* kTrainings =
    "{version: 1, seed: 3, model: {zoo: FashionCNN},\n"
    " data: {train: {dataset: {name: Synthetic}}, calibration: {samples: 8}},\n"
    " stages: [{train: {epochs: 3}}, {train: {epochs: 2}}, {export: }], output: a}";

constexpr const char* kQuantizedTraining =
    "{version: 1, seed: 3, model: {zoo: FashionCNN},\n"
    " data: {train: {dataset: {name: Synthetic}}, calibration: {samples: 8}}, output: a,\n"
    " stages: [{quantize: {mode: qat, target: x86, train: {epochs: 3},\n"
    "           verify: {samples: 9}}}]}";

std::string text(const char* recipe, const std::string& change = "") {
  YamlValue document = parse_yaml(recipe, "r.yaml");
  if (!change.empty()) override_yaml(document, change);
  return print_yaml(document);
}

Reuse reuse(std::size_t stage, const std::string& change, const char* recipe = kTrainings) {
  const Recipe changed = parse_recipe(parse_yaml(text(recipe, change), "r.yaml"), ".");
  return reuse_of(changed, stage, text(recipe));
}

TEST(Resuming, AnUnchangedRecipeKeepsTheResult) {
  EXPECT_EQ(reuse(0, ""), Reuse::Finished);
  EXPECT_EQ(reuse(1, ""), Reuse::Finished);
  EXPECT_EQ(reuse_of(Recipe{}, 0, ""), Reuse::Finished) << "a file that does not tell";
}

TEST(Resuming, WhatNoTrainingReadsDoesNotCount) {
  EXPECT_EQ(reuse(1, "output=b"), Reuse::Finished);
  EXPECT_EQ(reuse(1, "data.calibration.samples=9"), Reuse::Finished);
  EXPECT_EQ(reuse(1, "stages.2.export.opset=18"), Reuse::Finished);
}

TEST(Resuming, AStageGoesOnWithItsOwnChanges) {
  EXPECT_EQ(reuse(0, "stages.0.train.epochs=5"), Reuse::Continue);
  EXPECT_EQ(reuse(1, "stages.1.train.epochs=5"), Reuse::Continue);
  EXPECT_EQ(reuse(0, "stages.1.train.epochs=5"), Reuse::Finished);
  EXPECT_EQ(reuse(0, "seed=5"), Reuse::Continue);
  EXPECT_EQ(reuse(0, "data.train.dataset.name=FashionMNIST"), Reuse::Continue);
}

TEST(Resuming, TheBestValueCountsWhileItIsMeasuredAlike) {
  const auto alike = [](const std::string& change, std::string_view metric) {
    return judges_alike(text(kTrainings), text(kTrainings, change), metric);
  };
  EXPECT_TRUE(alike("", "loss"));
  EXPECT_TRUE(alike("stages.0.train.epochs=5", "top1"));
  EXPECT_FALSE(alike("data.eval.dataset.name=FashionMNIST", "top1"));
  EXPECT_TRUE(alike("stages.0.train.loss=[{cross_entropy: {smoothing: 0.1}}]", "top1"));
  EXPECT_FALSE(alike("stages.0.train.loss=[{cross_entropy: {smoothing: 0.1}}]", "loss"));
  EXPECT_TRUE(judges_alike("", text(kTrainings), "top1")) << "a file that does not tell";
}

TEST(Resuming, WhatAStageBeginsWithDecidesAnew) {
  EXPECT_EQ(reuse(1, "stages.0.train.epochs=5"), Reuse::Anew);
  EXPECT_EQ(reuse(0, "model.zoo=ResNet20"), Reuse::Anew);
}

constexpr const char* kPruned =
    "{version: 1, seed: 3, model: {zoo: FashionCNN},\n"
    " data: {train: {dataset: {name: Synthetic}}, calibration: {samples: 8}}, output: a,\n"
    " stages: [{prune: {target_macs: 0.5, criterion: l1, fine_tune: {epochs: 3}}}, {export: }]}";

TEST(Resuming, APruningGoesOnWithItsFineTuningOnly) {
  const auto reuse_with = [](const std::string& change) { return reuse(0, change, kPruned); };
  EXPECT_EQ(reuse_with(""), Reuse::Finished);
  EXPECT_EQ(reuse_with("stages.1.export.opset=18"), Reuse::Finished);
  EXPECT_EQ(reuse_with("stages.0.prune.fine_tune.epochs=5"), Reuse::Continue);
  EXPECT_EQ(reuse_with("metrics=[top1, top2]"), Reuse::Continue);
  EXPECT_EQ(reuse_with("stages.0.prune.criterion=fpgm"), Reuse::Anew);
  EXPECT_EQ(reuse_with("stages.0.prune.target_macs=0.6"), Reuse::Anew);
  EXPECT_EQ(reuse_with("data.calibration.samples=9"), Reuse::Anew) << "it reconstructs with them";
  EXPECT_EQ(reuse_with("seed=4"), Reuse::Anew);
}

TEST(Resuming, AQuantizedTrainingBeginsWithItsCalibration) {
  const auto reuse_with = [](const std::string& change) {
    return reuse(0, change, kQuantizedTraining);
  };
  EXPECT_EQ(reuse_with(""), Reuse::Finished);
  EXPECT_EQ(reuse_with("stages.0.quantize.verify.samples=10"), Reuse::Finished);
  EXPECT_EQ(reuse_with("stages.0.quantize.train.epochs=5"), Reuse::Continue);
  EXPECT_EQ(reuse_with("metrics=[top1, top2]"), Reuse::Continue);
  EXPECT_EQ(reuse_with("stages.0.quantize.target=generic"), Reuse::Anew);
  EXPECT_EQ(reuse_with("data.calibration.samples=9"), Reuse::Anew);
  EXPECT_EQ(reuse_with("seed=4"), Reuse::Anew);
}

TEST(Resuming, ATrainingThatIsQuantizedKeepsToItsQuantizers) {
  constexpr const char* kStrategy =
      "{version: 1, seed: 3, model: {zoo: FashionCNN},\n"
      " data: {train: {dataset: {name: Synthetic}}, calibration: {samples: 8}}, output: a,\n"
      " stages: [{train: {epochs: 3, strategies: [\n"
      "   {quantize: {start_epoch: 1, target: x86, verify: {samples: 9}}},\n"
      "   {export: {end_epoch: 0, opset: 17}}, {freeze_quantizers: {start_epoch: 2}}]}}]}";
  const auto reuse_with = [&](const std::string& change) { return reuse(0, change, kStrategy); };
  EXPECT_EQ(reuse_with(""), Reuse::Finished);
  EXPECT_EQ(reuse_with("stages.0.train.epochs=5"), Reuse::Continue);
  EXPECT_EQ(reuse_with("stages.0.train.strategies.1.export.opset=18"), Reuse::Continue);
  EXPECT_EQ(reuse_with("stages.0.train.strategies.2.freeze_quantizers.start_epoch=1"),
            Reuse::Continue);
  EXPECT_EQ(reuse_with("stages.0.train.strategies.1.export.file=quantize.onnx"), Reuse::Continue);
  EXPECT_EQ(reuse_with("stages.0.train.strategies.0={export: {end_epoch: 1}}"), Reuse::Anew);
  EXPECT_EQ(reuse_with("stages.0.train.strategies.0.quantize.verify.samples=3"), Reuse::Finished);
  EXPECT_EQ(reuse_with("stages.0.train.strategies.0.quantize.target=generic"), Reuse::Anew);
  EXPECT_EQ(reuse_with("stages.0.train.strategies.0.quantize.start_epoch=2"), Reuse::Anew);
  EXPECT_EQ(reuse_with("data.calibration.samples=9"), Reuse::Anew);
}

}  // namespace
}  // namespace espalier::recipe
