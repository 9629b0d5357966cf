#include "espalier/recipe/prediction.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "espalier/zoo/builder.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

/// The bytes of a picture of one colour.
std::string picture(int side, unsigned char red, unsigned char green, unsigned char blue) {
  std::string bytes = "P6\n" + std::to_string(side) + " " + std::to_string(side) + "\n255\n";
  for (int pixel = 0; pixel < side * side; ++pixel) {
    bytes += static_cast<char>(red);
    bytes += static_cast<char>(green);
    bytes += static_cast<char>(blue);
  }
  return bytes;
}

/// A model whose outputs are the mean of each colour channel times ten.
std::filesystem::path colour_model(const kit::TemporaryFolder& folder) {
  zoo::Builder builder("colours", 1);
  zoo::Flow flow = builder.image("image", 3, 8, 8);
  flow = flow.global_average_pool().flatten().gemm({.name = "fc", .outputs = 3});
  ir::Graph graph = builder.finish(flow, "logits");
  graph.set_constant(*graph.find_value("fc.weight"), at::eye(3) * 10);
  graph.set_constant(*graph.find_value("fc.bias"), at::zeros({3}));
  onnx::save(graph, folder.path() / "colours.onnx");
  return folder.path() / "colours.onnx";
}

PredictionRequest request_for(const kit::TemporaryFolder& folder) {
  return {.model = colour_model(folder),
          .folder = {.mean = {0, 0, 0}, .std_deviation = {1, 1, 1}, .height = 8, .width = 8},
          .top = 2,
          .progress = report::ProgressStyle::Quiet};
}

TEST(Prediction, RanksTheClassesOfImageFiles) {
  const kit::TemporaryFolder folder;
  PredictionRequest request = request_for(folder);
  request.images = {folder.write("green.ppm", picture(16, 0, 255, 51)),
                    folder.write("many/blue.ppm", picture(16, 51, 0, 255)), folder.path() / "many"};
  request.class_names = folder.write("names.txt", "red\ngreen\nblue\n");
  const std::vector<Prediction> predictions = predict_images(request);
  ASSERT_EQ(predictions.size(), 3U);
  EXPECT_NE(predictions[0].image.find("green.ppm"), std::string::npos);
  ASSERT_EQ(predictions[0].top.size(), 2U);
  EXPECT_EQ(predictions[0].top[0].index, 1);
  EXPECT_EQ(predictions[0].top[0].name, "green");
  EXPECT_EQ(predictions[0].top[1].name, "blue");
  const double total = std::exp(10) + std::exp(2) + std::exp(0);
  EXPECT_NEAR(predictions[0].top[0].score, std::exp(10) / total, 1e-4);
  EXPECT_EQ(predictions[1].top[0].name, "blue");
  EXPECT_EQ(predictions[2].top[0].name, "blue") << "of the folder";
  EXPECT_NE(to_text(predictions).find("green.ppm: 1 green 1.000, 2 blue 0.000\n"),
            std::string::npos)
      << to_text(predictions);
  const report::Json json = to_json(predictions);
  EXPECT_EQ(json.at("images").as_integer(), 3);
  const report::Json& first = json.at("predictions").items()[0];
  EXPECT_EQ(first.at("top").items()[0].at("class").as_integer(), 1);
  EXPECT_EQ(first.at("top").items()[0].at("name").as_string(), "green");
}

TEST(Prediction, EnginesAgreeOnTheImagesOfADataFile) {
  const kit::TemporaryFolder folder;
  PredictionRequest request{.model = write_small_model(folder.path()),
                            .data = synthetic_splits(12),
                            .top = 4,
                            .samples = 10,
                            .progress = report::ProgressStyle::Quiet};
  const std::vector<Prediction> own = predict_images(request);
  ASSERT_EQ(own.size(), 10U);
  EXPECT_GE(own[0].label, 0);
  for (const char* engine : {"onnxruntime", "openvino"}) {
    request.engine = engine;
    const std::vector<Prediction> other = predict_images(request);
    for (std::size_t index = 0; index < own.size(); ++index) {
      double sum = 0;
      for (const RankedClass& one : other[index].top) sum += one.score;
      EXPECT_NEAR(sum, 1, 1e-6);
      EXPECT_NEAR(other[index].top[0].score, own[index].top[0].score, 1e-4) << engine;
    }
  }
}

TEST(Prediction, ReadsBothFormsOfClassNames) {
  const kit::TemporaryFolder folder;
  EXPECT_EQ(read_class_names(folder.write("plain.txt", "a cat\r\na dog\r\n")),
            (std::vector<std::string>{"a cat", "a dog"}));
  EXPECT_EQ(read_class_names(folder.write("paddle.txt", "1 a dog\n0 a cat\n")),
            (std::vector<std::string>{"a cat", "a dog"}));
  kit::expect_user_error([&] { (void)read_class_names(folder.write("empty.txt", "\n")); },
                         "empty.txt");
  kit::expect_user_error([&] { (void)read_class_names(folder.write("bad.txt", "0 cat\ndog\n")); },
                         "bad.txt:2: got 'dog', expected 'number name', as the first line");
}

TEST(Prediction, RefusesWhatItCannotDo) {
  const kit::TemporaryFolder folder;
  PredictionRequest request = request_for(folder);
  kit::expect_user_error([&] { (void)predict_images(request); },
                         "nothing to predict: no images were given");
  request.images = {folder.write("bad.png", "no image")};
  kit::expect_user_error([&] { (void)predict_images(request); }, "bad.png");
  request.images = {folder.path() / "missing.jpg"};
  kit::expect_user_error([&] { (void)predict_images(request); }, "missing.jpg");
  request.images = {folder.write("a.ppm", picture(16, 1, 2, 3))};
  zoo::Builder builder("maps", 1);
  const zoo::Flow flow = builder.image("image", 3, 8, 8).conv({.name = "conv", .channels = 4});
  onnx::save(builder.finish(flow, "maps"), folder.path() / "maps.onnx");
  request.model = folder.path() / "maps.onnx";
  kit::expect_unsupported([&] { (void)predict_images(request); },
                          "got an output of shape [1, 4, 8, 8], expected scores");
  request.model = folder.path();
  kit::expect_user_error([&] { (void)predict_images(request); },
                         "is no run folder with a model: expected model.onnx in it");
}

}  // namespace
}  // namespace espalier::recipe
