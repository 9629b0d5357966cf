#include "espalier/recipe/model_input.h"

#include <cmath>
#include <limits>

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

ir::Graph graph_with(std::initializer_list<const char*> names) {
  ir::Graph graph;
  graph.name = "net";
  for (const char* name : names) {
    graph.add_input(name, {.dtype = tensor::DType::Float32,
                           .shape = tensor::Shape{{.size = std::nullopt, .symbol = "N"},
                                                  {.size = 3, .symbol = {}},
                                                  {.size = std::nullopt, .symbol = "H"},
                                                  {.size = 8, .symbol = {}}}});
  }
  return graph;
}

TEST(ModelInput, TheImageInputIsTheOnlyOne) {
  EXPECT_EQ(image_input(graph_with({"x"})).name(), "x");
  kit::expect_unsupported(
      [] {
        (void)image_input(graph_with({"x", "mask"}));
      },
      "the model 'net' does not take images: got 2 inputs: x [N, 3, H, 8] "
      "float32, mask [N, 3, H, 8] float32, expected one input of images");
  kit::expect_unsupported([] { (void)image_input(graph_with({})); }, "got 0 inputs");
}

TEST(ModelInput, ImagesFitWhateverTheirNumber) {
  const ir::Graph graph = graph_with({"x"});
  check_images(graph, at::zeros({1, 3, 5, 8}), "d.yaml");
  check_images(graph, at::zeros({64, 3, 9, 8}), "d.yaml");
  kit::expect_user_error(
      [&] {
        check_images(graph, at::zeros({2, 1, 5, 8}), "d.yaml");
      },
      "the images do not fit the model: input 'x': got images of [1, 5, 8], "
      "expected [3, H, 8] (change the data set or its transforms in 'd.yaml')");
  kit::expect_user_error(
      [&] {
        check_images(graph, at::zeros({2, 3, 8}), "d.yaml");
      },
      "got images of [3, 8]");
}

TEST(ModelInput, ChannelsLastAreRefusedByName) {
  ir::Graph graph;
  graph.add_input("x", {tensor::DType::Float32, tensor::make_shape({1, 8, 8, 3})});
  kit::expect_unsupported(
      [&] {
        check_images(graph, at::zeros({1, 3, 8, 8}), "d.yaml");
      },
      "the model takes its images with the channels last: input 'x'");
}

TEST(ModelInput, ImagesOfWholeNumbersAreRefusedByName) {
  ir::Graph graph;
  graph.add_input("x", {tensor::DType::UInt8, tensor::make_shape({1, 3, 8, 8})});
  kit::expect_unsupported(
      [&] {
        check_images(graph, at::zeros({1, 3, 8, 8}), "d.yaml");
      },
      "the model does not take normalized images: input 'x': got uint8, expected float32");
}

TEST(ModelInput, AFixedBatchSetsTheMicroBatch) {
  const CalibrationConfig config{.samples = 10, .micro_batch = 8};
  EXPECT_EQ(fit_to_batch(config, std::nullopt, 3).samples, 10U);
  EXPECT_EQ(fit_to_batch(config, std::nullopt, 3).micro_batch, 8U);
  EXPECT_EQ(fit_to_batch(config, 1, 100).samples, 10U);
  EXPECT_EQ(fit_to_batch(config, 1, 100).micro_batch, 1U);
  EXPECT_EQ(fit_to_batch(config, 4, 100).samples, 8U);
  EXPECT_EQ(fit_to_batch(config, 4, 7).samples, 4U);
  kit::expect_user_error([&] { (void)fit_to_batch(config, 16, 100); },
                         "too few calibration images for the model's fixed batch: got 10, expected "
                         "at least 16");
}

TEST(ModelInput, QuantizedModelsAndHalfWeightsAreRefusedByName) {
  ir::Graph graph = graph_with({"x"});
  ir::Value& weight = graph.add_initializer("w", at::zeros({3}));
  check_quantizable(graph);
  graph.set_constant(weight, at::zeros({3}, at::kBFloat16));
  kit::expect_unsupported([&] { check_quantizable(graph); },
                          "cannot quantize the model 'net': initializer 'w': got bfloat16, "
                          "expected float32 (export the model in float32)");
  graph.set_constant(weight, at::zeros({3}));
  graph.add_node({.op = "DequantizeLinear", .inputs = {&weight, &weight}, .name = "codes"});
  kit::expect_user_error([&] { check_quantizable(graph); },
                         "the model 'net' is quantized already: node 'codes' (DequantizeLinear)");
}

TEST(ModelInput, BrokenWeightsAreRefusedByName) {
  ir::Graph graph = graph_with({"x"});
  const Tensor values = at::zeros({4, 3, 1, 1});
  ir::Value& weight = graph.add_initializer("w", values);
  graph.add_node({.op = "Conv", .inputs = {graph.inputs()[0], &weight}, .name = "conv1"});
  check_quantizable(graph);
  for (const float broken : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    Tensor damaged = values.clone();
    damaged[2][1] = broken;
    graph.set_constant(weight, damaged);
    kit::expect_user_error([&] { check_quantizable(graph); },
                           "cannot quantize the model 'net': initializer 'w' of node 'conv1' "
                           "(Conv): got NaN or infinite elements, expected finite numbers");
  }
}

}  // namespace
}  // namespace espalier::recipe
