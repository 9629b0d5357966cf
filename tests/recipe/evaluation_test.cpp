#include "espalier/recipe/evaluation.h"

#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/onnx/text.h"
#include "espalier/recipe/folder_data.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

EvaluationRequest request_for(const std::filesystem::path& model) {
  return {.model = model,
          .data = synthetic_splits(40),
          .metrics = {{.k = 1}, {.k = 4}, {.k = 9}},
          .batch_size = 16,
          .progress = report::ProgressStyle::Quiet};
}

TEST(Evaluation, AllRunnersAgree) {
  const kit::TemporaryFolder folder;
  EvaluationRequest request = request_for(write_small_model(folder.path()));
  for (const char* engine : {"onnxruntime", "openvino"}) {
    request.compare = engine;
    const EvaluationResult result = evaluate_model(request);
    EXPECT_EQ(result.images, 40);
    EXPECT_EQ(result.labelled, 40);
    EXPECT_DOUBLE_EQ(result.metrics.at("top4"), 100) << "4 classes";
    EXPECT_FALSE(result.metrics.contains("top9")) << "more than there are classes";
    ASSERT_TRUE(result.comparison.has_value());
    EXPECT_LT(result.comparison->worst_difference, 1e-4) << engine;
    EXPECT_LT(result.comparison->widest_tie, 1e-5) << engine;
  }
}

TEST(Evaluation, SamplesLimitsTheImages) {
  const kit::TemporaryFolder folder;
  EvaluationRequest request = request_for(write_small_model(folder.path()));
  request.samples = 7;
  EXPECT_EQ(evaluate_model(request).images, 7);
}

TEST(Evaluation, TheFirstOfSeveralOutputsCounts) {
  const kit::TemporaryFolder folder;
  onnx::save(
      onnx::parse(R"(agraph (float[N, 1, 28, 28] x) => (float[N, 4, 1, 1] y, float[N, 1, 1, 1] z)
      <float[4, 1, 1, 1] w = {1, -1, 2, 0.5}> { c = Conv (x, w)
      y = GlobalAveragePool (c)
      z = GlobalAveragePool (x) })"),
      folder.path() / "two.onnx");
  testing::internal::CaptureStderr();
  EXPECT_EQ(evaluate_model(request_for(folder.path() / "two.onnx")).images, 40);
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find("2 outputs: classes are those of the first"),
      std::string::npos);
}

TEST(Evaluation, ScoresMayHaveDimensionsOfOne) {
  const kit::TemporaryFolder folder;
  onnx::save(onnx::parse(R"(agraph (float[N, 1, 28, 28] x) => (float[N, 4, 1, 1] y)
      <float[4, 1, 1, 1] w = {1, -1, 2, 0.5}> { c = Conv (x, w)
      y = GlobalAveragePool (c) })"),
             folder.path() / "maps.onnx");
  EvaluationRequest request = request_for(folder.path() / "maps.onnx");
  request.compare = "onnxruntime";
  const EvaluationResult result = evaluate_model(request);
  EXPECT_EQ(result.images, 40);
  EXPECT_DOUBLE_EQ(result.metrics.at("top4"), 100);
}

TEST(Evaluation, EnginesGetImagesOfTheTypeThatTheFileDeclares) {
  const kit::TemporaryFolder folder;
  onnx::save(onnx::parse(R"(agraph (float16[N, 1, 28, 28] x) => (float16[N, 4, 1, 1] y)
      <float[4, 1, 1, 1] v = {1, -1, 2, 0.5}> { w = Cast <to = 10> (v)
      c = Conv (x, w) y = GlobalAveragePool (c) })"),
             folder.path() / "half.onnx");
  EvaluationRequest request = request_for(folder.path() / "half.onnx");
  for (const char* engine : {"onnxruntime", "openvino"}) {
    request.compare = engine;
    const EvaluationResult result = evaluate_model(request);
    EXPECT_EQ(result.images, 40);
    EXPECT_LT(result.comparison->worst_difference, 1e-2) << engine;
  }
}

TEST(Evaluation, FoldersOfOtherClassesAreNamed) {
  const kit::TemporaryFolder folder;
  const std::string picture = "P5\n28 28\n255\n" + std::string(28 * 28, 'x');
  for (const char* name : {"cat/a.pgm", "dog/a.pgm", "owl/a.pgm"}) folder.write(name, picture);
  const kit::TemporaryFolder models;
  EvaluationRequest request = request_for(write_small_model(models.path()));
  request.data = open_data(folder.path(), {.height = 28, .width = 28, .channels = 1});
  testing::internal::CaptureStderr();
  EXPECT_EQ(evaluate_model(request).images, 3);
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find("the data set has 3 classes and the model 4"),
      std::string::npos);
}

TEST(Evaluation, ImagesThatAreLeftOutAreCounted) {
  const kit::TemporaryFolder folder;
  const std::string picture = "P5\n28 28\n255\n" + std::string(28 * 28, 'x');
  folder.write("a/one.pgm", picture);
  folder.write("a/two.pgm", picture.substr(0, 100));
  folder.write("b/three.pgm", picture);
  const kit::TemporaryFolder models;
  EvaluationRequest request = request_for(write_small_model(models.path()));
  request.data = open_data(folder.path(), {.height = 28, .width = 28, .channels = 1});
  for (auto* split : {&request.data.only, &request.data.eval, &request.data.test}) {
    if (*split) (*split)->loader.bad_samples = data::BadSamples::Skip;
  }
  const EvaluationResult result = evaluate_model(request);
  EXPECT_EQ(result.images, 2);
  EXPECT_EQ(result.skipped, 1);
  EXPECT_EQ(to_json(result).at("skipped").as_integer(), 1);
}

TEST(Evaluation, BrokenWeightsAreSaid) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path path = write_small_model(folder.path());
  ir::Graph graph = onnx::load(path);
  ir::Value& weight = *graph.find_node("conv1")->input(1);
  Tensor values = weight.constant().clone();
  values[0][0][0][0] = std::nanf("");
  graph.set_constant(weight, values);
  onnx::save(graph, path);
  testing::internal::CaptureStderr();
  (void)open_runner(path, "espalier", 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "of node 'conv1' (Conv) holds NaN or infinite elements"),
            std::string::npos);
}

TEST(Evaluation, BadLinesAndMissingFilesOfAListAreCounted) {
  const kit::TemporaryFolder folder;
  folder.write("one.pgm", "P5\n28 28\n255\n" + std::string(28 * 28, 'x'));
  folder.write("cut.pgm", "P5\n28 28\n255\nx");
  folder.write("list.txt", "one.pgm 0\nno label\nmissing.pgm 1\ncut.pgm 1\none.pgm 2\n");
  const kit::TemporaryFolder models;
  EvaluationRequest request = request_for(write_small_model(models.path()));
  request.data = parse_data(
      parse_yaml(fmt::format("dataset: {{name: ImageNetDataset, image_root: {0}, cls_label_path: "
                             "{0}/list.txt,\n  transform_ops: [{{DecodeImage: {{to_gray: true, "
                             "channel_first: false}}}}, {{ToCHWImage: }}]}}\n"
                             "loader: {{num_workers: 0, bad_samples: skip}}\n",
                             folder.path().string()),
                 "d.yaml"),
      ".");
  const EvaluationResult result = evaluate_model(request);
  EXPECT_EQ(result.images, 2);
  EXPECT_EQ(result.skipped, 3);
}

TEST(Evaluation, RefusesModelsAndDataThatDoNotFit) {
  const kit::TemporaryFolder folder;
  EvaluationRequest request = request_for(folder.write("bad.onnx", "not a model"));
  kit::expect_user_error([&] { (void)evaluate_model(request); }, "bad.onnx");
  request = request_for(write_small_model(folder.path()));
  request.data = parse_data(parse_yaml("dataset: {name: Synthetic, size: 20, channels: 3, "
                                       "count: 4, transform_ops: [{ToCHWImage: }]}",
                                       "d.yaml"),
                            ".");
  kit::expect_user_error([&] { (void)evaluate_model(request); }, "image");
}

}  // namespace
}  // namespace espalier::recipe
