#include <ATen/ops/softmax.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

ir::Graph one_node(std::string_view body, std::int64_t opset,
                   std::string_view inputs = "float[1, 4, 6, 6] x") {
  return read(fmt::format("agraph ({}) => (float[A, B, C, D] y) {{ {} }}", inputs, body), opset);
}

Tensor run(const ir::Graph& graph, const Tensor& input) {
  return exec::Program::compile(graph, {}).run(std::vector<Tensor>{input}).front();
}

TEST(Upgrade, GraphsBelowThirteenBecomeSeventeen) {
  EXPECT_EQ(one_node("y = Relu (x)", 7).opsets.at(""), 17);
  EXPECT_EQ(one_node("y = Relu (x)", 12).opsets.at(""), 17);
  EXPECT_EQ(one_node("y = Relu (x)", 13).opsets.at(""), 13);
}

TEST(Upgrade, SliceAttributesBecomeInputs) {
  const ir::Graph graph = one_node("y = Slice <starts = [1], ends = [3], axes = [2]> (x)", 9);
  const ir::Node& node = only(graph, "Slice");
  EXPECT_EQ(ints_of(node.input(1)), ir::Ints{1});
  EXPECT_EQ(ints_of(node.input(2)), ir::Ints{3});
  EXPECT_EQ(ints_of(node.input(3)), ir::Ints{2});
  EXPECT_EQ(tensor::to_string(*node.output()->type().shape), "[1, 4, 2, 6]");
}

TEST(Upgrade, ClipLimitsBecomeInputs) {
  const ir::Graph graph = one_node("y = Clip <max = 6.0> (x)", 10);
  const ir::Node& node = only(graph, "Clip");
  EXPECT_EQ(node.input(1), nullptr);
  EXPECT_EQ(node.input(2)->constant().item().toDouble(), 6.0);
  EXPECT_EQ(node.input(2)->constant().dim(), 0);
}

TEST(Upgrade, PadAttributesBecomeInputs) {
  const ir::Graph graph =
      one_node("y = Pad <pads = [0, 0, 1, 1, 0, 0, 1, 1], value = 2.0> (x)", 10);
  const ir::Node& node = only(graph, "Pad");
  EXPECT_EQ(ints_of(node.input(1)).size(), 8U);
  EXPECT_EQ(node.input(2)->constant().item().toDouble(), 2.0);
  EXPECT_EQ(only(one_node("y = Pad <pads = [0, 0, 1, 1, 0, 0, 1, 1]> (x)", 10), "Pad").input(2),
            nullptr);
}

TEST(Upgrade, UpsampleBecomesResize) {
  for (const std::int64_t opset : {7, 8}) {
    const ir::Graph graph =
        one_node("y = Upsample <mode = \"linear\", scales = [1.0, 1.0, 2.0, 2.0]> (x)", opset);
    const ir::Node& node = only(graph, "Resize");
    EXPECT_EQ(node.get_string("coordinate_transformation_mode", ""), "asymmetric");
    EXPECT_EQ(node.get_string("mode", ""), "linear");
    EXPECT_EQ(kit::values_of(node.input(2)->constant()), (std::vector<double>{1, 1, 2, 2}));
    EXPECT_EQ(tensor::to_string(*node.output()->type().shape), "[1, 4, 12, 12]");
  }
  const ir::Graph graph = read(R"(agraph (float[1, 4, 6, 6] x) => (float[A, B, C, D] y)
    <float[4] s = {1, 1, 2, 2}> { y = Upsample (x, s) })",
                               9);
  EXPECT_EQ(only(graph, "Resize").get_string("nearest_mode", ""), "floor");
  EXPECT_EQ(only(graph, "Resize").input(2)->name(), "s");
}

TEST(Upgrade, ResizeTenSpellsOutItsCoordinates) {
  const ir::Graph graph = read(R"(agraph (float[1, 4, 6, 6] x) => (float[A, B, C, D] y)
    <float[4] s = {1, 1, 2, 2}> { y = Resize <mode = "linear"> (x, s) })",
                               10);
  const ir::Node& node = only(graph, "Resize");
  EXPECT_EQ(node.input(1), nullptr);
  EXPECT_EQ(node.input(2)->name(), "s");
  EXPECT_EQ(node.get_string("coordinate_transformation_mode", ""), "asymmetric");
}

TEST(Upgrade, ResizeElevenKeepsItsCoordinates) {
  const ir::Graph graph = read(R"(agraph (float[1, 4, 6, 6] x) => (float[A, B, C, D] y)
    <float[4] s = {1, 1, 2, 2}, float[0] roi = {}> {
    y = Resize <coordinate_transformation_mode = "align_corners"> (x, roi, s) })",
                               11);
  EXPECT_EQ(only(graph, "Resize").get_string("coordinate_transformation_mode", ""),
            "align_corners");
}

TEST(Upgrade, AxesBecomeInputsAtThirteen) {
  const ir::Graph graph = one_node(R"(a = Unsqueeze <axes = [0]> (x)
    b = Squeeze <axes = [0]> (a)
    c = ReduceSum <axes = [2, 3], keepdims = 1> (b)
    d = ReduceMean <axes = [2, 3]> (b)
    e, f = Split <axis = 1, split = [1, 3]> (c)
    y = Add (d, c))",
                                   11);
  EXPECT_EQ(ints_of(only(graph, "Unsqueeze").input(1)), ir::Ints{0});
  EXPECT_EQ(ints_of(only(graph, "Squeeze").input(1)), ir::Ints{0});
  EXPECT_EQ(ints_of(only(graph, "ReduceSum").input(1)), (ir::Ints{2, 3}));
  EXPECT_EQ(ints_of(only(graph, "Split").input(1)), (ir::Ints{1, 3}));
  EXPECT_EQ(only(graph, "ReduceMean").get_ints("axes", {}), (ir::Ints{2, 3}));
}

TEST(Upgrade, TopKDropoutAndScatter) {
  const ir::Graph graph = read(R"(agraph (float[3, 4] x, int64[3, 4] i) => (float[A, B] y) {
    d = Dropout <ratio = 0.25> (x)
    s = Scatter <axis = 1> (d, i, x)
    y, places = TopK <k = 2> (s)
  })",
                               9);
  EXPECT_EQ(ints_of(only(graph, "TopK").input(1)), ir::Ints{2});
  EXPECT_EQ(only(graph, "Dropout").input(1)->constant().item().toDouble(), 0.25);
  EXPECT_EQ(operators(graph), "Dropout ScatterElements TopK");
}

TEST(Upgrade, SoftmaxAlongTheLastAxisStaysOneNode) {
  const ir::Graph last = read("agraph (float[N, 5] x) => (float[N, 5] y) { y = Softmax (x) }", 9);
  EXPECT_EQ(operators(last), "Softmax");
  EXPECT_EQ(only(last, "Softmax").get_int("axis", -1), 1);
  const ir::Graph ones =
      read("agraph (float[N, 5, 1, 1] x) => (float[N, 5, 1, 1] y) { y = Softmax (x) }", 9);
  EXPECT_EQ(operators(ones), "Softmax");
}

TEST(Upgrade, SoftmaxOverSeveralAxesIsFlattened) {
  for (const char* op : {"Softmax", "LogSoftmax"}) {
    const ir::Graph graph = read(
        fmt::format("agraph (float[N, 3, 4] x) => (float[N, 3, 4] y) {{ y = {} (x) }}", op), 9);
    EXPECT_EQ(operators(graph), fmt::format("Shape Flatten {} Reshape", op));
    const Tensor input = kit::random_tensor({2, 3, 4}, 7);
    Tensor expected = at::softmax(input.reshape({2, 12}).to(at::kDouble), 1).reshape({2, 3, 4});
    if (std::string_view(op) == "LogSoftmax") expected = expected.log();
    EXPECT_THAT(run(graph, input), kit::IsCloseTo(expected));
  }
}

TEST(Upgrade, BatchNormalizationLosesItsTrainingForm) {
  const std::string_view inputs =
      "float[1, 4, 6, 6] x, float[4] s, float[4] b, float[4] m, float[4] v";
  const ir::Graph graph =
      one_node("y, o1, o2, o3, o4 = BatchNormalization (x, s, b, m, v)", 9, inputs);
  EXPECT_EQ(only(graph, "BatchNormalization").outputs().size(), 1U);
  EXPECT_EQ(only(graph, "BatchNormalization").output()->name(), "y");
  kit::expect_unsupported(
      [&] {
        one_node("y, o1, o2, o3, o4 = BatchNormalization (x, s, b, m, v) u = Relu (o1)", 9, inputs);
      },
      "an output of its training form in use");
  kit::expect_unsupported(
      [&] { one_node("y = BatchNormalization <spatial = 0> (x, s, b, m, v)", 7, inputs); },
      "spatial 0");
  EXPECT_FALSE(only(one_node("y = BatchNormalization <spatial = 1> (x, s, b, m, v)", 7, inputs),
                    "BatchNormalization")
                   .has("spatial"));
}

TEST(Upgrade, RoiAlignKeepsItsPixels) {
  const std::string_view text = R"(agraph (float[1, 4, 6, 6] x, float[2, 4] r, int64[2] i)
    => (float[A, B, C, D] y) { y = RoiAlign (x, r, i) })";
  const std::string bytes = encode(read(text, 13), {.opset = 17});
  EXPECT_EQ(only(decode(bytes), "RoiAlign").get_string("coordinate_transformation_mode", ""),
            "output_half_pixel");
}

TEST(Upgrade, GroupNormalizationSpreadsItsParameters) {
  const ir::Graph graph = decode(encode(read(R"(
    agraph (float[1, 4, 2, 2] x) => (float[1, 4, 2, 2] y)
    <float[2] s = {1, 2}, float[2] b = {3, 4}> {
      y = GroupNormalization <num_groups = 2> (x, s, b)
    })",
                                             18),
                                        {.opset = 21}));
  const ir::Node& node = only(graph, "GroupNormalization");
  EXPECT_EQ(kit::values_of(node.input(1)->constant()), (std::vector<double>{1, 1, 2, 2}));
  EXPECT_EQ(kit::values_of(node.input(2)->constant()), (std::vector<double>{3, 3, 4, 4}));
}

TEST(Upgrade, GridSampleRenamesItsModes) {
  const ir::Graph graph = read(R"(agraph (float[1, 1, 4, 4] x, float[1, 2, 2, 2] g)
    => (float[A, B, C, D] y) { y = GridSample (x, g) })",
                               16);
  EXPECT_EQ(only(decode(encode(graph, {.opset = 20})), "GridSample").get_string("mode", ""),
            "linear");
}

}  // namespace
}  // namespace espalier::onnx
