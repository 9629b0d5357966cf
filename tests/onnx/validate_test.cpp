#include "espalier/onnx/validate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

/// A convolution of [1, 4, 8, 8] with a weight [6, 2, 3, 3] in two groups and these attributes.
std::string convolution(std::string_view attributes) {
  return fmt::format(
      R"(agraph (float[1, 4, 8, 8] x, float[6, 2, 3, 3] w) => (float[1, 6, H, W] y) {{
    y = Conv <{}> (x, w)
  }})",
      attributes);
}

struct Case {
  std::string attributes;
  std::string text;
};

TEST(Validate, BadConvolutionsAreRefused) {
  const Case cases[] = {
      {"group = 0", "group 0, expected 1 to 2^30"},
      {"group = -2", "group -2"},
      {"group = 2, strides = [0, 1]", "strides [0, 1], expected values from 1"},
      {"group = 2, strides = [1]", "1 values in strides, expected 2"},
      {"group = 2, dilations = [1, 1073741825]", "dilations [1, 1073741825]"},
      {"group = 2, kernel_shape = [3, 3], dilations = [1, 1073741824]", "with dilation 1073741824"},
      {"group = 2, pads = [0, 0, -1, 0]", "pads [0, 0, -1, 0], expected values from 0"},
      {"group = 2, pads = [1, 1]", "2 values in pads, expected 4"},
      {"group = 2, pads = [0, 0, 4611686018427387904, 0]", "values from 0 to 2^30"},
      {"group = 2, kernel_shape = [3]", "kernel_shape with 1 sizes, expected 2"},
      {"group = 2, kernel_shape = [0, 3]", "kernel_shape [0, 3]"},
      {"group = 2, auto_pad = \"SOME\"", "auto_pad 'SOME', expected one of NOTSET"},
      {"group = 2, kernel_shape = [3, 5]",
       "kernel_shape [3, 5], expected 3 on spatial axis 1, as the weight has it"},
      {"group = 4", "group 4 for 6 output channels"},
      {"group = 3", "4 input channels, expected 6"},
      {"group = 2, dilations = [4, 4]", "a window of 9 on a padded size of 8"},
      {"group = 2, speed = 3", "the unknown attribute 'speed', expected the form of opset 17"},
      {"group = 2.5", "attribute 'group' of type float, expected int"},
  };
  for (const Case& entry : cases) {
    const std::string text = kit::expect_user_error(
        [&] { static_cast<void>(read(convolution(entry.attributes))); }, entry.text);
    EXPECT_NE(text.find("(Conv)"), std::string::npos) << text;
  }
  EXPECT_EQ(operators(read(convolution("group = 2, dilations = [3, 3]"))), "Conv");
}

void expect_refused(std::string_view body, std::string_view text) {
  const std::string model = fmt::format(
      "agraph (float[1, 4, 8, 8] x, float[6] v) => (float[A, B, C, D] y) {{ {} }}", body);
  kit::expect_user_error([&] { static_cast<void>(read(model)); }, text);
}

TEST(Validate, BadPoolsAreRefused) {
  expect_refused("y = MaxPool <kernel_shape = [2, 2], strides = [0, 0]> (x)", "strides [0, 0]");
  expect_refused("y = MaxPool <kernel_shape = [9, 9]> (x)", "a window of 9");
  expect_refused("y = AveragePool <kernel_shape = [2]> (x)", "(AveragePool)");
  expect_refused("y = AveragePool (x)", "no attribute 'kernel_shape', which is required");
}

TEST(Validate, BadRearrangementsAreRefused) {
  expect_refused("y = Transpose <perm = [0, 1, 2, 2]> (x)", "perm [0, 1, 2, 2]");
  expect_refused("y = DepthToSpace <blocksize = 0> (x)", "blocksize 0");
  expect_refused("y = SpaceToDepth <blocksize = -2> (x)", "blocksize -2");
  expect_refused("y = LRN <size = 0> (x)", "size 0");
}

TEST(Validate, BadNormalizationsAreRefused) {
  expect_refused("y = BatchNormalization (x, v, v, v, v)", "(BatchNormalization)");
  expect_refused("y = InstanceNormalization (x, v, v)", "6 values of a channel parameter");
}

TEST(Validate, BadTransposedConvolutionsAreRefused) {
  const auto model = [](std::string_view attributes) {
    return fmt::format(R"(agraph (float[1, 4, 8, 8] x, float[6, 2, 3, 3] w) => (float[A, B, C, D] y)
      {{ y = ConvTranspose <{}> (x, w) }})",
                       attributes);
  };
  kit::expect_user_error([&] { static_cast<void>(read(model("group = 2"))); },
                         "4 input channels, expected 6");
  kit::expect_user_error([&] { static_cast<void>(read(model("group = 4"))); },
                         "group 4 for 6 input channels");
  kit::expect_user_error([&] { static_cast<void>(read(model("output_padding = [-1, 0]"))); },
                         "output_padding [-1, 0]");
}

TEST(Validate, BiasMustFit) {
  kit::expect_user_error(
      [] {
        static_cast<void>(read(R"(agraph (float[1, 2, 4, 4] x, float[3, 2, 1, 1] w, float[4] b)
          => (float[A, B, C, D] y) { y = Conv (x, w, b) })"));
      },
      "4 bias values, expected 3");
}

TEST(Validate, WrongArityIsRefused) {
  expect_refused("y = Relu (x, x)", "(Relu): got 2 inputs, expected 1");
  expect_refused("y = Conv (x)", "1 inputs, expected at least 2");
  expect_refused(R"(y = Add (x, ""))", "no input 1, which is required");
  expect_refused("y, z = Relu (x)", "2 outputs, expected 1");
}

TEST(Validate, OperatorsOfLaterOpsetsAreRefused) {
  expect_refused("y = Gelu (x)", "(Gelu): got an operator that opset 17 does not have");
}

TEST(Validate, TypesAreCheckedOnGraphsToo) {
  const ir::Graph graph = read(convolution("group = 2"));
  validate_nodes(graph);
  validate_types(graph);
}

}  // namespace
}  // namespace espalier::onnx
