#include "espalier/zoo/builder.h"

#include <cmath>

#include <ATen/ops/mean.h>
#include <ATen/ops/std.h>
#include <gtest/gtest.h>

#include "espalier/base/error.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/kit/tensors.h"

namespace espalier::zoo {
namespace {

std::string shape_text(const Flow& flow) {
  return tensor::to_string(flow.shape());
}

TEST(Builder, ChainsNodesWithShapesAndDynamicBatch) {
  Builder builder("small", 1);
  Flow flow = builder.image("image", 3, 8, 8);
  flow =
      flow.conv({.name = "stem", .channels = 4, .stride = 2}).batch_norm({.name = "norm"}).relu();
  EXPECT_EQ(shape_text(flow), "[batch, 4, 4, 4]");
  flow = flow.max_pool({.name = "pool"}).flatten().gemm({.name = "head", .outputs = 5});
  const ir::Graph graph = builder.finish(flow, "logits");
  EXPECT_EQ(kit::to_text(graph).find("Conv(image, stem.weight) [stem]") != std::string::npos, true)
      << kit::to_text(graph);
  EXPECT_EQ(tensor::to_string(*graph.outputs().at(0)->type().shape), "[batch, 5]");
  EXPECT_EQ(graph.opsets.at(""), 17);
  EXPECT_EQ(graph.find_node("stem")->get_ints("pads", {}), (ir::Ints{1, 1, 1, 1}));
  EXPECT_EQ(graph.find_node("norm")->get_float("momentum", 0), 0.9F);
  EXPECT_EQ(graph.find_value("head.weight")->constant().sizes().vec(),
            (std::vector<std::int64_t>{5, 16}));
}

TEST(Builder, WeightsDependOnSeedAndNameOnly) {
  const auto weight = [](std::uint64_t seed, const std::string& name, bool other_first) {
    Builder builder("m", seed);
    if (other_first) builder.weight("other", {7}, Init::KaimingNormal, 7, 7);
    return builder.weight(name, {4, 4}, Init::KaimingNormal, 4, 4).constant();
  };
  EXPECT_THAT(weight(1, "a", false), kit::HasSameBits(weight(1, "a", true)));
  EXPECT_NE(kit::bit_difference(weight(1, "a", false), weight(2, "a", false)), "");
  EXPECT_NE(kit::bit_difference(weight(1, "a", false), weight(1, "b", false)), "");
}

TEST(Builder, DrawsWithTheScaleOfTheFan) {
  Builder builder("m", 3);
  const Tensor normal = builder.weight("normal", {200, 200}, Init::KaimingNormal, 8, 50).constant();
  EXPECT_NEAR(normal.std().item<double>(), std::sqrt(2.0 / 50), 0.003);
  EXPECT_NEAR(normal.mean().item<double>(), 0.0, 0.004);
  const Tensor uniform =
      builder.weight("uniform", {200, 200}, Init::KaimingUniform, 24, 9).constant();
  EXPECT_NEAR(uniform.max().item<double>(), 0.5, 1e-3);
  EXPECT_NEAR(uniform.min().item<double>(), -0.5, 1e-3);
  EXPECT_LT(uniform.abs().max().item<double>(), 0.5);
  const Tensor layer = builder.weight("layer", {200, 200}, Init::FanInUniform, 16, 9).constant();
  EXPECT_NEAR(layer.abs().max().item<double>(), 0.25, 1e-3);
  EXPECT_EQ(builder.weight("zeros", {3}, Init::Zeros, 1, 1).constant().abs().max().item<float>(),
            0.0F);
}

/// A window and the size it gives from 7, checked by counting windows that start inside.
struct WindowCase {
  PoolOptions options;
  std::int64_t expected;
};

class PoolSize : public ::testing::TestWithParam<WindowCase> {};

TEST_P(PoolSize, CountsWindows) {
  Builder builder("m", 0);
  const Flow flow = builder.image("x", 2, 7, 7);
  EXPECT_EQ(flow.max_pool(GetParam().options).height(), GetParam().expected);
  EXPECT_EQ(flow.average_pool(GetParam().options).height(), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Windows, PoolSize,
    ::testing::Values(WindowCase{{.kernel = 2, .stride = 2}, 3},
                      WindowCase{{.kernel = 2, .stride = 2, .ceil_mode = true}, 4},
                      WindowCase{{.kernel = 3, .stride = 2, .padding = 1}, 4},
                      // A window that would start in the right padding does not count.
                      WindowCase{{.kernel = 2, .stride = 4, .padding = 1, .ceil_mode = true}, 2},
                      WindowCase{{.kernel = 7, .stride = 7}, 1}));

TEST(Builder, CombinesBranches) {
  Builder builder("m", 0);
  const Flow input = builder.image("x", 4, 6, 6);
  const Flow left = input.conv({.name = "left", .channels = 4}).relu6();
  const Flow right = input.conv({.name = "right", .channels = 4}).relu6();
  const Flow gate = left.global_average_pool().conv({.name = "gate", .channels = 4, .kernel = 1});
  const Flow joined =
      left.add(right).mul(gate.sigmoid()).concat({input, right.hard_swish()}, "cat");
  EXPECT_EQ(shape_text(joined), "[batch, 12, 6, 6]");
  const ir::Graph graph = builder.finish(joined.dropout(0.2F), "y");
  EXPECT_EQ(graph.find_value("relu6_high")->uses().size(), 2U) << "limits are shared";
  EXPECT_EQ(graph.find_node("cat")->get_int("axis"), 1);
}

TEST(Builder, GroupsAndDilationShapeTheWeight) {
  Builder builder("m", 0);
  const Flow flow =
      builder.image("x", 4, 9, 9)
          .conv({.name = "c", .channels = 8, .dilation = 2, .groups = 2, .with_bias = true});
  EXPECT_EQ(shape_text(flow), "[batch, 8, 9, 9]");
  const ir::Graph graph = builder.finish(flow, "y");
  EXPECT_EQ(graph.find_value("c.weight")->constant().sizes().vec(),
            (std::vector<std::int64_t>{8, 2, 3, 3}));
  EXPECT_EQ(graph.find_value("c.bias")->constant().numel(), 8);
}

TEST(Builder, RefusesSizesThatDoNotFit) {
  Builder builder("m", 0);
  const Flow input = builder.image("x", 3, 4, 4);
  kit::expect_user_error([&] { (void)input.conv({.name = "c", .channels = 4, .groups = 2}); },
                         "node 'c' (Conv): 3 inputs and 4 outputs do not divide into 2 groups");
  kit::expect_user_error([&] { (void)input.conv({.name = "c", .channels = 4, .stride = 0}); },
                         "node 'c' (Conv): kernel 3, stride 0 and dilation 1 must be at least 1");
  kit::expect_user_error(
      [&] { (void)input.conv({.name = "big", .channels = 4, .kernel = 5, .padding = 0}); },
      "node 'big' (Conv): the window of 5 does not fit into the input [batch, 3, 4, 4]");
  kit::expect_user_error([&] { (void)input.max_pool({.kernel = 5, .name = "p"}); },
                         "node 'p' (MaxPool): the window of 5 does not fit");
  kit::expect_user_error([&] { (void)input.max_pool({.kernel = 2, .padding = 2, .name = "p"}); },
                         "node 'p' (MaxPool): kernel 2, stride 2, padding 2 is no window");
  kit::expect_user_error([&] { (void)input.gemm({.name = "fc", .outputs = 2}); },
                         "node 'fc' (Gemm): input [batch, 3, 4, 4] and 2 outputs; flatten first");
  kit::expect_user_error([&] { (void)input.dropout(1.0F); }, "ratio 1 is not in [0, 1)");
  const Flow other = builder.image("y", 2, 4, 4);
  kit::expect_user_error([&] { (void)input.add(other); },
                         "values 'x' and 'y': got shapes [batch, 3, 4, 4] and [batch, 2, 4, 4]");
  const Flow small = builder.image("z", 2, 3, 3);
  kit::expect_user_error([&] { (void)input.concat({small}, "cat"); },
                         "node 'cat' (Concat): shapes [batch, 3, 4, 4] and [batch, 2, 3, 3]");
}

}  // namespace
}  // namespace espalier::zoo
