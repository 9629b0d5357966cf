#include "espalier/passes/layer_patches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

using passes_test::graph_of;

struct Shape {
  std::string name;
  std::string attributes;
  std::int64_t groups = 1;
  std::int64_t filters = 6;
  kit::Sizes kernel = {3, 3};
};

class LayerPatches : public testing::TestWithParam<Shape> {};

/// libtorch's own convolution is what the product of patches and weights must equal.
TEST_P(LayerPatches, TimesTheMatrixGiveTheConvolution) {
  const Shape& shape = GetParam();
  const std::int64_t per_group = 4 / shape.groups;
  const ir::Graph graph = graph_of(fmt::format(
      "g (float[N,4,9,8] x, float[{},{},{},{}] w) => (float[N,M,H,W] y)"
      " {{ y = Conv<group={}{}>(x, w) }}",
      shape.filters, per_group, shape.kernel[0], shape.kernel[1], shape.groups, shape.attributes));
  const Tensor input = kit::random_tensor({2, 4, 9, 8}, 3, {.type = at::kDouble});
  const Tensor output = passes_test::run_on(graph, {input.to(at::kFloat)}).at(0);
  std::string reason;
  const auto layer = linear_layer(*graph.nodes().front(), reason);
  ASSERT_TRUE(layer) << reason;
  const Positions all = draw_positions(*layer, output, 1000, 1);
  ASSERT_EQ(static_cast<std::int64_t>(all.rows.size()), output.numel() / output.size(1));
  const Tensor weight = layer->node->input(1)->constant();
  const Tensor product = at::bmm(patches_at(*layer, input, output, all), to_matrix(*layer, weight));
  const Tensor joined = product.transpose(0, 1).reshape({-1, output.size(1)});
  EXPECT_THAT(joined,
              kit::IsCloseTo(outputs_at(*layer, output, all), kit::Tolerance{.absolute = 1e-5}));
  EXPECT_THAT(from_matrix(*layer, to_matrix(*layer, weight), weight), kit::HasSameBits(weight));
}

INSTANTIATE_TEST_SUITE_P(
    Forms, LayerPatches,
    testing::Values(
        Shape{.name = "plain", .attributes = ""},
        Shape{.name = "padded_one_side", .attributes = ", pads=[1,0,2,1]"},
        Shape{.name = "strided", .attributes = ", strides=[2,3], pads=[1,1,1,1]"},
        Shape{.name = "dilated", .attributes = ", dilations=[2,1], pads=[2,1,2,1]"},
        Shape{.name = "grouped", .attributes = ", pads=[1,1,1,1]", .groups = 2},
        Shape{.name = "depthwise", .attributes = ", pads=[1,1,1,1]", .groups = 4, .filters = 8},
        Shape{.name = "same_upper", .attributes = ", auto_pad=\"SAME_UPPER\", strides=[2,2]"},
        Shape{.name = "same_lower", .attributes = ", auto_pad=\"SAME_LOWER\", strides=[2,2]"},
        Shape{.name = "wide_kernel", .attributes = "", .kernel = {1, 5}}),
    [](const auto& test) { return test.param.name; });

TEST(LayerPatchesOfProducts, GiveGemmAndMatMul) {
  for (const std::string_view text :
       {"g (float[N,5] x, float[3,5] w, float[3] b) => (float[N,3] y)"
        " { y = Gemm<transB=1>(x, w, b) }",
        "g (float[N,5] x, float[5,3] w) => (float[N,3] y) { y = MatMul(x, w) }"}) {
    const ir::Graph graph = graph_of(text);
    std::string reason;
    const auto layer = linear_layer(*graph.nodes().front(), reason);
    ASSERT_TRUE(layer) << reason;
    const Tensor input = kit::random_tensor({4, 5}, 3);
    const Tensor output = passes_test::run_on(graph, {input}).at(0);
    const Positions all = draw_positions(*layer, output, 1, 1);
    const Tensor weight = layer->node->input(1)->constant();
    Tensor product = at::bmm(patches_at(*layer, input, output, all), to_matrix(*layer, weight))[0];
    if (const ir::Value* bias = layer->node->input(2)) product = product + bias->constant();
    EXPECT_THAT(product, kit::IsCloseTo(output)) << text;
    EXPECT_THAT(from_matrix(*layer, to_matrix(*layer, weight), weight), kit::HasSameBits(weight));
  }
}

TEST(LayerPatchesOfProducts, NameWhatIsNotHandled) {
  const auto reason_of = [](std::string_view text) {
    const ir::Graph graph = graph_of(text);
    std::string reason;
    EXPECT_FALSE(linear_layer(*graph.nodes().front(), reason));
    return reason;
  };
  EXPECT_EQ(reason_of("g (float[1,4,5,5] x, float[4,2,2,2] w) => (float[1,2,6,6] y)"
                      " { y = ConvTranspose(x, w) }"),
            "transposed convolutions are not reconstructed");
  EXPECT_EQ(reason_of("g (float[1,4,5] x, float[4,4,2] w) => (float[1,4,4] y) { y = Conv(x, w) }"),
            "it is not two-dimensional");
  EXPECT_EQ(reason_of("g (float[3,5] x, float[5,3] w) => (float[3,3] y)"
                      " { y = Gemm<alpha=0.5>(x, w) }"),
            "it scales or transposes its operands");
  EXPECT_EQ(reason_of("g (float[3,5] x, float[5,5] w) => (float[3,5] z)"
                      " { y = MatMul(x, w) z = MatMul(y, w) }"),
            "its weight is shared");
  EXPECT_EQ(reason_of("g (float[1,2] x) => (float[1,2] y) { y = Relu(x) }"), "");
}

}  // namespace
}  // namespace espalier::passes
