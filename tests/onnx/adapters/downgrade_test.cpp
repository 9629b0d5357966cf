#include <fmt/format.h>
#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

/// The model at `from`, written at 17 and read again.
ir::Graph lowered(std::string_view text, std::int64_t from, std::int64_t to = 17) {
  return decode(encode(read(text, from), {.opset = to}));
}

void expect_lowest(std::string_view text, std::int64_t from, std::int64_t lowest,
                   std::int64_t to = 17) {
  kit::expect_unsupported([&] { static_cast<void>(lowered(text, from, to)); },
                          fmt::format("expected opset {} or later", lowest));
}

TEST(Downgrade, ReduceAxesBecomeAttributes) {
  const ir::Graph graph = lowered(R"(agraph (float[2, 3, 4] x) => (float[A, B, C] y)
    <int64[2] axes = {1, 2}> { y = ReduceMean (x, axes) })",
                                  18);
  EXPECT_EQ(only(graph, "ReduceMean").get_ints("axes", {}), (ir::Ints{1, 2}));
  EXPECT_EQ(graph.find_value("axes"), nullptr);
  const ir::Graph nothing = lowered(R"(agraph (float[2, 3] x) => (float[A, B] y) {
    y = ReduceMax <noop_with_empty_axes = 1> (x) })",
                                    18);
  EXPECT_EQ(operators(nothing), "Identity");
  const ir::Graph everything =
      lowered("agraph (float[2, 3] x) => (float[A, B] y) { y = ReduceMax (x) }", 18);
  EXPECT_FALSE(only(everything, "ReduceMax").has("axes"));
  expect_lowest(R"(agraph (float[2, 3] x, int64[1] axes) => (float[A, B] y) {
    y = ReduceL2 (x, axes) })",
                18, 18);
}

TEST(Downgrade, SplitCountsBecomeSizes) {
  const ir::Graph uneven = lowered(R"(agraph (float[7] x) => (float[A] a, float[B] b, float[C] c) {
    a, b, c = Split <axis = 0, num_outputs = 3> (x) })",
                                   18);
  EXPECT_EQ(ints_of(only(uneven, "Split").input(1)), (ir::Ints{3, 3, 1}));
  const ir::Graph even = lowered(R"(agraph (float[6] x) => (float[A] a, float[B] b) {
    a, b = Split <axis = 0, num_outputs = 2> (x) })",
                                 18);
  EXPECT_EQ(only(even, "Split").input(1), nullptr);
  expect_lowest(R"(agraph (float[N] x) => (float[A] a, float[B] b) {
    a, b = Split <axis = 0, num_outputs = 2> (x) })",
                18, 18);
}

TEST(Downgrade, PadAxesAreSpread) {
  const ir::Graph graph = lowered(R"(agraph (float[1, 2, 3, 4] x) => (float[A, B, C, D] y)
    <int64[4] pads = {1, 2, 3, 4}, int64[2] axes = {-1, 2}, float zero = {0}> {
    y = Pad (x, pads, zero, axes) })",
                                  18);
  EXPECT_EQ(ints_of(only(graph, "Pad").input(1)), (ir::Ints{0, 0, 2, 1, 0, 0, 4, 3}));
  EXPECT_EQ(tensor::to_string(*graph.outputs()[0]->type().shape), "[1, 2, 9, 8]");
  expect_lowest(R"(agraph (float[1, 2] x) => (float[A, B] y) <int64[4] pads = {0, 1, 0, 1}> {
    y = Pad <mode = "wrap"> (x, pads) })",
                19, 19);
}

TEST(Downgrade, ResizeAxesAreSpread) {
  const ir::Graph graph = lowered(R"(agraph (float[1, 2, 3, 4] x) => (float[A, B, C, D] y)
    <float[2] scales = {2, 3}> { y = Resize <axes = [2, 3]> (x, , scales) })",
                                  18);
  EXPECT_EQ(kit::values_of(only(graph, "Resize").input(2)->constant()),
            (std::vector<double>{1, 1, 2, 3}));
  const std::string_view text = R"(agraph (float[1, 2, 3, 4] x) => (float[A, B, C, D] y)
    <float[4] s = {{1, 1, 2, 2}}> {{ y = Resize <{}> (x, , s) }})";
  expect_lowest(fmt::format(fmt::runtime(text), "mode = \"linear\", antialias = 1"), 18, 18);
  expect_lowest(
      fmt::format(fmt::runtime(text), "coordinate_transformation_mode = \"half_pixel_symmetric\""),
      19, 19);
  EXPECT_FALSE(only(lowered(fmt::format(fmt::runtime(text), "antialias = 0"), 18), "Resize")
                   .has("antialias"));
}

TEST(Downgrade, PoolDilationsOfOneAreDropped) {
  const std::string_view text = R"(agraph (float[1, 1, 9, 9] x) => (float[A, B, C, D] y) {{
    y = AveragePool <kernel_shape = [2, 2], dilations = [{0}, {0}]> (x) }})";
  EXPECT_FALSE(
      only(lowered(fmt::format(fmt::runtime(text), 1), 19), "AveragePool").has("dilations"));
  expect_lowest(fmt::format(fmt::runtime(text), 2), 19, 19);
}

TEST(Downgrade, CodeTypesBecomeZeroPoints) {
  const ir::Graph graph = lowered(R"(agraph (float[4] x) => (int8[4] y) <float s = {0.5}> {
    y = QuantizeLinear <output_dtype = 3> (x, s) })",
                                  21);
  const ir::Value* zero = only(graph, "QuantizeLinear").input(2);
  EXPECT_EQ(zero->type().dtype, tensor::DType::Int8);
  EXPECT_EQ(zero->constant().item().toLong(), 0);
  const ir::Graph pair = lowered(R"(agraph (float[4] x) => (float[4] y)
    <float s = {0.5}, uint8 z = {3}> {
    q = QuantizeLinear <saturate = 1> (x, s, z)
    y = DequantizeLinear (q, s, z) })",
                                 21, 13);
  EXPECT_EQ(operators(pair), "QuantizeLinear DequantizeLinear");
  EXPECT_FALSE(only(pair, "QuantizeLinear").has("saturate"));
}

TEST(Downgrade, BlocksNeedTwentyOne) {
  expect_lowest(R"(agraph (float[4, 4] x) => (float[4, 4] y)
    <float[2, 4] s = {1, 1, 1, 1, 1, 1, 1, 1}, uint8[2, 4] z = {0, 0, 0, 0, 0, 0, 0, 0}> {
    q = QuantizeLinear <axis = 0, block_size = 2> (x, s, z)
    y = DequantizeLinear <axis = 0, block_size = 2> (q, s, z) })",
                21, 21);
}

TEST(Downgrade, CastForgetsSaturation) {
  const ir::Graph graph =
      lowered("agraph (float[2] x) => (int32[2] y) { y = Cast <to = 6, saturate = 1> (x) }", 19);
  EXPECT_FALSE(only(graph, "Cast").has("saturate"));
}

TEST(Downgrade, OtherBounds) {
  expect_lowest(R"(agraph (float[2] x, int64[2] i) => (float[2] y) {
    y = ScatterElements <reduction = "max"> (x, i, x) })",
                18, 18);
  expect_lowest(R"(agraph (float[1, 4, 6, 6] x, float[2, 4] r, int64[2] i)
    => (float[A, B, C, D] y) { y = RoiAlign (x, r, i) })",
                16, 16, 15);
  expect_lowest(R"(agraph (float[2, 3] x) => (int64[A] y) { y = Shape <start = 1> (x) })", 15, 15,
                14);
  expect_lowest(R"(agraph (float[1, 1, 4, 4, 4] x, float[1, 2, 2, 2, 3] g)
    => (float[A, B, C, D, E] y) { y = GridSample (x, g) })",
                20, 20);
}

TEST(Downgrade, GridSampleNamesGoBack) {
  const ir::Graph graph = lowered(R"(agraph (float[1, 1, 4, 4] x, float[1, 2, 2, 2] g)
    => (float[A, B, C, D] y) { y = GridSample <mode = "cubic"> (x, g) })",
                                  20);
  EXPECT_EQ(only(graph, "GridSample").get_string("mode", ""), "bicubic");
}

}  // namespace
}  // namespace espalier::onnx
