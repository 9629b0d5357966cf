#include "espalier/passes/channel_affine.h"

#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

/// A linear layer with six input channels, whatever their place.
struct Layer {
  std::string name;
  std::string text;  ///< from input x to output y
  std::int64_t inputs;
  std::int64_t outputs;
};

const std::vector<Layer>& layers() {
  static const std::vector<Layer> kLayers{
      {"Conv",
       "g (float[2,6,5,5] x, float[4,6,3,3] w, float[4] b) => (float[2,4,3,3] y)"
       " { y = Conv(x, w, b) }",
       6, 4},
      {"ConvWithoutBias",
       "g (float[2,6,5,5] x, float[4,6,3,3] w) => (float[2,4,3,3] y)"
       " { y = Conv(x, w) }",
       6, 4},
      {"GroupedConv",
       "g (float[2,6,5,5] x, float[4,3,3,3] w, float[4] b) => (float[2,4,3,3] y)"
       " { y = Conv<group=2>(x, w, b) }",
       6, 4},
      {"DepthwiseConv",
       "g (float[2,6,5,5] x, float[6,1,3,3] w) => (float[2,6,3,3] y)"
       " { y = Conv<group=6>(x, w) }",
       6, 6},
      {"Gemm",
       "g (float[2,6] x, float[6,4] w, float[4] b) => (float[2,4] y)"
       " { y = Gemm<alpha=0.5, beta=2.0>(x, w, b) }",
       6, 4},
      {"GemmTransposed",
       "g (float[2,6] x, float[4,6] w, float[1,4] b) => (float[2,4] y)"
       " { y = Gemm<transB=1>(x, w, b) }",
       6, 4},
      {"ConvTranspose",
       "g (float[2,6,5,5] x, float[6,2,3,3] w, float[4] b) => (float[2,4,7,7] y)"
       " { y = ConvTranspose<group=2>(x, w, b) }",
       6, 4},
  };
  return kLayers;
}

class EveryLayer : public testing::TestWithParam<Layer> {};

ChannelAffine random_affine(std::int64_t channels) {
  return {.scale = kit::random_tensor({channels}, 5, {.type = at::kDouble}),
          .shift = kit::random_tensor({channels}, 6, {.type = at::kDouble})};
}

Tensor per_channel(const Tensor& vector, const Tensor& like) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(like.dim()), 1);
  sizes[1] = vector.numel();
  return vector.reshape(sizes);
}

TEST_P(EveryLayer, FoldsAMapOfItsOutputs) {
  ir::Graph graph = passes_test::graph_of(GetParam().text);
  const Tensor plain = passes_test::run_graph(graph).at("y");
  const ChannelAffine affine = random_affine(GetParam().outputs);
  ASSERT_EQ(num_output_channels(*graph.nodes()[0]), GetParam().outputs);
  ASSERT_TRUE(fold_after(graph, *graph.nodes()[0], affine));
  EXPECT_THAT(
      passes_test::run_graph(graph).at("y"),
      kit::IsCloseTo(plain * per_channel(affine.scale, plain) + per_channel(affine.shift, plain),
                     kit::Tolerance{.absolute = 1e-5, .relative = 1e-5}));
}

TEST_P(EveryLayer, FoldsAMapOfItsInputs) {
  ir::Graph graph = passes_test::graph_of(GetParam().text);
  ir::Graph mapped = graph.clone();
  const ChannelAffine affine = random_affine(GetParam().inputs);
  EXPECT_EQ(num_input_channels(*graph.nodes()[0]), GetParam().inputs);
  const bool folded = fold_before(graph, *graph.nodes()[0], affine);
  if (GetParam().name == "ConvTranspose") {
    EXPECT_FALSE(folded);
    return;
  }
  ASSERT_TRUE(folded);
  ir::Value& input = *mapped.find_value("x");
  const Tensor like = at::empty(*tensor::known_sizes(*input.type().shape));
  ir::Node& linear = *mapped.nodes()[0];
  ir::Node& mul = mapped.insert_before(
      linear, {.op = "Mul",
               .inputs = {&input, &mapped.add_initializer("a", per_channel(affine.scale, like))}});
  ir::Node& add = mapped.insert_before(
      linear,
      {.op = "Add",
       .inputs = {mul.output(), &mapped.add_initializer("c", per_channel(affine.shift, like))}});
  mapped.set_input(linear, 0, add.output());
  passes_test::expect_same_outputs(graph, mapped);
}

INSTANTIATE_TEST_SUITE_P(ChannelAffine, EveryLayer, testing::ValuesIn(layers()),
                         [](const auto& row) { return row.param.name; });

TEST(ChannelAffine, RefusesShiftsBeforeAPaddedConv) {
  constexpr std::string_view kChannelAffineText =
      "g (float[2,6,5,5] x, float[4,6,3,3] w) => (float[2,4,5,5] y)"
      " { y = Conv<pads=[1,1,1,1]>(x, w) }";
  ir::Graph graph = passes_test::graph_of(kChannelAffineText);
  ChannelAffine affine = random_affine(6);
  EXPECT_FALSE(fold_before(graph, *graph.nodes()[0], affine));
  affine.shift.zero_();
  EXPECT_TRUE(fold_before(graph, *graph.nodes()[0], affine));
}

TEST(ChannelAffine, RefusesOtherCountsAndNumbersThatOverflow) {
  ir::Graph graph = passes_test::graph_of(layers()[0].text);
  ir::Node& conv = *graph.nodes()[0];
  EXPECT_FALSE(fold_after(graph, conv, random_affine(5)));
  ChannelAffine huge = random_affine(4);
  huge.scale.fill_(1e39);
  EXPECT_FALSE(fold_after(graph, conv, huge));
  EXPECT_EQ(num_output_channels(*passes_test::graph_of(
                                     "g (float[1,2,3,3] x, float[1,2,3,3] xw) => (float[1,1,1,1] y)"
                                     " { y = Conv(x, xw) }")
                                     .nodes()[0]),
            0);
}

TEST(ChannelAffine, CopiesASharedWeight) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[1,2,3,3] x, float[2,2,1,1] w) => (float[1,2,3,3] y, float[1,2,3,3] z)"
      " { y = Conv(x, w) z = Conv(x, w) }");
  const Tensor other = passes_test::run_graph(graph).at("z");
  ASSERT_TRUE(fold_after(graph, *graph.nodes()[0], random_affine(2)));
  EXPECT_THAT(passes_test::run_graph(graph).at("z"), kit::HasSameBits(other));
}

}  // namespace
}  // namespace espalier::passes
