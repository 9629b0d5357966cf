#include "espalier/quant/gram.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/conv2d.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/ops/weight.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::graph_of;
using quant_test::source_of;

/// For weights W and inputs with mean m and covariance C, outputs have mean W m and variance
/// diag(W C W^T): compares that with the outputs of the graph itself.
void expect_predicts_outputs(const std::string& text, const kit::Sizes& input) {
  SCOPED_TRACE(text);
  const ir::Graph graph = graph_of(text);
  const Tensor data = kit::random_tensor(input, 3, {.normal = true}) + 0.5;
  const std::vector<std::string> nodes{"layer"};
  const auto moments =
      collect_moments(graph, nodes, source_of({data}, 5), {.micro_batch = 3}).at("layer");
  const auto program = exec::Program::compile(graph, {});
  const std::vector<Tensor> inputs{data};
  const Tensor outputs = program.run(inputs)[0].to(at::kDouble);
  const Tensor rows = outputs.dim() == 2 ? outputs : outputs.movedim(1, -1).flatten(0, -2);
  const ir::Node& node = *graph.find_node("layer");
  const Tensor weight =
      ops::weight_initializer(node)->constant().movedim(*ops::weight_axis(node), 0).to(at::kDouble);
  const std::int64_t groups = moments.mean.size(0);
  const Tensor grouped = weight.reshape({groups, -1, moments.mean.size(1)});
  const Tensor mean = moments.mean.to(at::kDouble).unsqueeze(2);
  const Tensor covariance = moments.covariance.to(at::kDouble);
  const Tensor predicted_mean = grouped.matmul(mean).reshape({-1});
  const Tensor predicted = (grouped.matmul(covariance) * grouped).sum(2).reshape({-1});
  const kit::Tolerance tolerance{.absolute = 1e-4, .relative = 1e-3};
  EXPECT_THAT(rows.mean(0), kit::IsCloseTo(predicted_mean, tolerance));
  EXPECT_THAT(rows.var(0, false), kit::IsCloseTo(predicted, tolerance));
}

TEST(Gram, PredictsTheOutputsOfLayers) {
  expect_predicts_outputs(
      "g (float[N,3,7,6] x, float[4,3,3,2] w) => (float[N,4,?,?] y)"
      " { [layer] y = Conv<pads=[1,0,2,1]>(x, w) }",
      {8, 3, 7, 6});
  expect_predicts_outputs(
      "g (float[N,3,9,9] x, float[4,3,3,3] w) => (float[N,4,?,?] y)"
      " { [layer] y = Conv<strides=[2,1], dilations=[1,2]>(x, w) }",
      {8, 3, 9, 9});
  expect_predicts_outputs(
      "g (float[N,4,6,6] x, float[8,2,3,3] w) => (float[N,8,?,?] y)"
      " { [layer] y = Conv<group=2, pads=[1,1,1,1]>(x, w) }",
      {8, 4, 6, 6});
  expect_predicts_outputs(
      "g (float[N,4,6,6] x, float[4,1,3,3] w) => (float[N,4,?,?] y)"
      " { [layer] y = Conv<group=4, pads=[1,1,1,1]>(x, w) }",
      {8, 4, 6, 6});
  // Wider than the blocks that products are computed in.
  expect_predicts_outputs(
      "g (float[N,50,6,5] x, float[4,50,3,3] w) => (float[N,4,?,?] y)"
      " { [layer] y = Conv<pads=[1,1,1,1]>(x, w) }",
      {8, 50, 6, 5});
  for (const std::string pad : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    expect_predicts_outputs(
        "g (float[N,3,7,7] x, float[4,3,2,2] w) => (float[N,4,?,?] y)"
        " { [layer] y = Conv<auto_pad=\"" +
            pad + "\", strides=[2,2]>(x, w) }",
        {8, 3, 7, 7});
  }
  expect_predicts_outputs(
      "g (float[N,6] x, float[4,6] w) => (float[N,4] y) { [layer] y = Gemm<transB=1>(x, w) }",
      {40, 6});
  expect_predicts_outputs(
      "g (float[N,6] x, float[6,4] w) => (float[N,4] y) { [layer] y = MatMul(x, w) }", {40, 6});
}

constexpr std::string_view kTwoLayers =
    "g (float[N,3,8,8] x, float[4,3,3,3] w, float[2,4,1,1] v) => (float[N,2,6,6] y)"
    " { [c1] a = Conv(x, w) [relu] r = Relu(a) [c2] y = Conv(r, v) }";

TEST(Gram, GivesTheSameBitsForEveryNumberOfThreads) {
  const ir::Graph graph = graph_of(kTwoLayers);
  const Tensor data = kit::random_tensor({23, 3, 8, 8}, 4, {.normal = true});
  const std::vector<std::string> nodes{"c1", "c2"};
  const auto collect_with = [&](int threads, std::int64_t batch) {
    return collect_moments(graph, nodes, source_of({data}, batch),
                           {.micro_batch = 4, .threads = threads});
  };
  const auto one = collect_with(1, 23);
  for (const int threads : {2, 4}) {
    const auto more = collect_with(threads, 3);
    for (const std::string& node : nodes) {
      EXPECT_THAT(more.at(node).covariance, kit::HasSameBits(one.at(node).covariance));
      EXPECT_THAT(more.at(node).mean, kit::HasSameBits(one.at(node).mean));
    }
  }
}

TEST(Gram, LooksAtFewPositionsOnRequest) {
  const ir::Graph graph = graph_of(kTwoLayers);
  const Tensor data = kit::random_tensor({40, 3, 8, 8}, 4, {.normal = true});
  const std::vector<std::string> nodes{"c1"};
  const auto all = collect_moments(graph, nodes, source_of({data}, 40), {}).at("c1");
  const auto some =
      collect_moments(graph, nodes, source_of({data}, 40), {.positions = 100}).at("c1");
  EXPECT_THAT(some.covariance,
              kit::IsCloseTo(all.covariance, kit::Tolerance{.absolute = 0.35, .relative = 0.0}));
  EXPECT_FALSE(kit::bit_difference(some.covariance, all.covariance).empty());
}

TEST(Gram, LooksAtAllColumnsOfAnImageAlike) {
  // Values are those of the column: a fixed step of 8 would see the same four columns everywhere.
  const ir::Graph graph = graph_of(
      "g (float[N,1,32,32] x, float[1,1,1,1] w) => (float[N,1,32,32] y) { [c] y = Conv(x, w) }");
  const Tensor data = at::arange(32, at::kFloat).repeat({8, 1, 32, 1});
  const std::vector<std::string> nodes{"c"};
  const auto moments =
      collect_moments(graph, nodes, source_of({data}, 8), {.positions = 1024}).at("c");
  EXPECT_NEAR(moments.mean.item<float>(), 15.5F, 0.1F);
  EXPECT_NEAR(moments.covariance.item<float>(), (32 * 32 - 1) / 12.0F, 1.0F);
}

TEST(Gram, KnowsWhichLayersItCovers) {
  const ir::Graph graph = graph_of(
      "g (float[N,3,8] x, float[4,3,3] w, float[N,4,6] x2, float[4,2,2] v) => (float[N,4,6] y)"
      " { [conv] a = Conv(x, w) [add] y = Add(a, x2) [odd] z = ConvTranspose(a, v) }");
  EXPECT_FALSE(has_moments(*graph.find_node("conv")));
  EXPECT_FALSE(has_moments(*graph.find_node("add")));
  EXPECT_FALSE(has_moments(*graph.find_node("odd")));
  EXPECT_TRUE(has_moments(*graph_of(kTwoLayers).find_node("c1")));
  EXPECT_EQ(moment_bytes(*graph_of(kTwoLayers).find_node("c1")), 3U * 27 * 27 * 4);
  const std::vector<std::string> nodes{"conv"};
  kit::expect_user_error([&] { (void)collect_moments(graph, nodes, source_of({}, 1), {}); },
                         "cannot collect moments of the node 'conv'");
}

}  // namespace
}  // namespace espalier::quant
