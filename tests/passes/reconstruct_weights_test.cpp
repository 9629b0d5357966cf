#include "espalier/passes/reconstruct_weights.h"

#include <optional>

#include <ATen/TensorOperators.h>
#include <ATen/ops/concat.h>
#include <ATen/ops/im2col.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linalg_lstsq.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/onnx/shapes.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/passes/mask_channels.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

using passes_test::graph_of;
using Batches = std::vector<std::vector<Tensor>>;

/// So small that it changes nothing where the problem is determined.
const ReconstructOptions kExact{.positions = 1000, .ridge = 1e-10, .seed = 1};

constexpr std::string_view kTwoConvs =
    "g (float[N,3,6,6] x, float[6,3,3,3] w1, float[6] b1, float[4,6,3,3] w2, float[4] b2)"
    " => (float[N,4,3,3] y)"
    " { a = Conv<pads=[1,1,1,1]>(x, w1, b1) r = Relu(a)"
    "   y = Conv<pads=[1,1,1,1], strides=[2,2]>(r, w2, b2) }";

prune::PrunePlan plan_of(const std::string& weight, const std::vector<std::int64_t>& removed) {
  return {.model_id = "",
          .criterion = "",
          .cuts = {{.group = "g", .initializer = weight, .axis = 0, .removed = removed}}};
}

Batches images(const kit::Sizes& sizes, std::size_t count) {
  Batches batches;
  for (std::size_t index = 0; index < count; ++index) {
    batches.push_back({kit::random_tensor(sizes, 100 + index)});
  }
  return batches;
}

/// A value of the graph for all batches, in one tensor.
Tensor value_of(const ir::Graph& graph, const std::string& name, const Batches& batches) {
  const auto program = exec::Program::compile(graph, {.taps = {name}});
  std::vector<Tensor> parts;
  for (const auto& inputs : batches) {
    parts.push_back(program.run({{"x", inputs[0]}}, std::vector<std::string>{name}).at(name));
  }
  return at::concat(parts).to(at::kDouble).contiguous();
}

/// Rows [x 1] of a 3 x 3 convolution with padding 1, by im2col.
Tensor unfolded(const Tensor& input, std::int64_t stride) {
  const Tensor columns = at::im2col(input, {3, 3}, {1, 1}, {1, 1}, {stride, stride});
  const Tensor rows = columns.transpose(1, 2).reshape({-1, columns.size(1)});
  return at::concat({rows, at::ones({rows.size(0), 1}, rows.options())}, 1);
}

Tensor positions_first(const Tensor& output) {
  return output.permute({0, 2, 3, 1}).reshape({-1, output.size(1)});
}

/// min |A x - y| by orthogonal factors, not by normal equations.
Tensor least_squares(const Tensor& rows, const Tensor& targets) {
  return std::get<0>(at::linalg_lstsq(rows, targets, std::nullopt, "gelsd"));
}

void expect_weight(const ir::Graph& graph, const std::string& weight, const std::string& bias,
                   const Tensor& solution) {
  const Tensor w = graph.find_value(weight)->constant();
  const std::int64_t elements = solution.size(0) - 1;
  EXPECT_THAT(w, kit::IsCloseTo(solution.narrow(0, 0, elements).t().reshape(w.sizes()),
                                kit::Tolerance{.absolute = 1e-4}));
  EXPECT_THAT(graph.find_value(bias)->constant(),
              kit::IsCloseTo(solution[elements], kit::Tolerance{.absolute = 1e-4}));
}

TEST(ReconstructWeights, EqualsLeastSquaresForAConvolution) {
  const ir::Graph original = graph_of(kTwoConvs);
  const Batches batches = images({8, 3, 6, 6}, 4);
  ir::Graph graph = original.clone();
  const prune::CutMap cuts = cut_channels(graph, plan_of("w1", {1, 4}));
  const Tensor rows = unfolded(value_of(graph, "r", batches), 2);
  const Tensor targets = positions_first(value_of(original, "y", batches));
  const ReconstructResult result = reconstruct_weights(graph, original, cuts, batches, kExact);
  ASSERT_EQ(result.layers.size(), 1U);
  EXPECT_LT(result.layers[0].error_after, 0.9 * result.layers[0].error_before);
  EXPECT_TRUE(result.skipped.empty());
  const Tensor solution = least_squares(rows, targets);
  expect_weight(graph, "w2", "b2", solution);
  const Tensor rest = rows.matmul(solution) - targets;
  EXPECT_NEAR(result.layers[0].error_after, (rest.norm() / targets.norm()).item<double>(), 1e-6);
  EXPECT_THAT(graph.find_value("b1")->constant(),
              kit::HasSameBits(at::index_select(original.find_value("b1")->constant(), 0,
                                                kit::integers_of({0, 2, 3, 5}))))
      << "the first layer sees what it saw before";
}

TEST(ReconstructWeights, SolvesEachGroupOfAConvolution) {
  const ir::Graph original = graph_of(
      "g (float[N,3,6,6] x, float[4,3,3,3] w1, float[4] b1, float[4,2,3,3] w2, float[4] b2)"
      " => (float[N,4,6,6] y)"
      " { a = Conv<pads=[1,1,1,1]>(x, w1, b1) r = Relu(a)"
      "   y = Conv<pads=[1,1,1,1], group=2>(r, w2, b2) }");
  const Batches batches = images({8, 3, 6, 6}, 4);
  ir::Graph graph = original.clone();
  graph.set_constant(*graph.find_value("w1"),
                     original.find_value("w1")->constant() +
                         kit::random_tensor({4, 3, 3, 3}, 9, {.low = -0.2, .high = 0.2}));
  const Tensor input = value_of(graph, "r", batches);
  const Tensor targets = positions_first(value_of(original, "y", batches));
  const auto result = reconstruct_weights(graph, original, {}, batches, kExact);
  ASSERT_EQ(result.layers.size(), 1U);
  std::vector<Tensor> solutions;
  for (const std::int64_t group : {0, 1}) {
    solutions.push_back(least_squares(unfolded(input.narrow(1, 2 * group, 2).contiguous(), 1),
                                      targets.narrow(1, 2 * group, 2).contiguous()));
  }
  expect_weight(graph, "w2", "b2", at::concat(solutions, 1));
}

TEST(ReconstructWeights, GoesInOrderSoThatLaterLayersSeeMendedOnes) {
  const ir::Graph original = graph_of(
      "g (float[N,8] x, float[12,8] w1, float[12] b1, float[6,12] w2, float[6] b2,"
      " float[6,4] w3) => (float[N,4] y)"
      " { a = Gemm<transB=1>(x, w1, b1) r = Relu(a) c = Gemm<transB=1>(r, w2, b2) s = Relu(c)"
      "   y = MatMul(s, w3) }");
  const Batches batches = images({200, 8}, 2);
  ir::Graph graph = original.clone();
  const prune::CutMap cuts = cut_channels(graph, plan_of("w1", {0, 3, 7}));
  const auto result = reconstruct_weights(graph, original, cuts, batches, kExact);
  ASSERT_EQ(result.layers.size(), 2U);
  // The last layer's input is that of the mended network.
  const Tensor rows = value_of(graph, "s", batches);
  const Tensor solution = least_squares(rows, value_of(original, "y", batches));
  EXPECT_THAT(graph.find_value("w3")->constant(),
              kit::IsCloseTo(solution, kit::Tolerance{.absolute = 1e-4}));
}

TEST(ReconstructWeights, MakesUpForTheOtherSideOfASum) {
  const ir::Graph original = graph_of(
      "g (float[N,4,6,6] x, float[6,4,3,3] w1, float[6] b1, float[4,6,3,3] w2, float[4] b2)"
      " => (float[N,4,6,6] y)"
      " { s = Tanh(x) a = Conv<pads=[1,1,1,1]>(s, w1, b1) r = Relu(a)"
      "   c = Conv<pads=[1,1,1,1]>(r, w2, b2) y = Add(c, s) }");
  const Batches batches = images({8, 4, 6, 6}, 4);
  ir::Graph graph = original.clone();
  const prune::CutMap cuts = cut_channels(graph, plan_of("w1", {2}));
  const Tensor rows = unfolded(value_of(graph, "r", batches), 1);
  const Tensor targets = positions_first(value_of(original, "y", batches)) -
                         positions_first(value_of(graph, "s", batches));
  (void)reconstruct_weights(graph, original, cuts, batches, kExact);
  expect_weight(graph, "w2", "b2", least_squares(rows, targets));
}

TEST(ReconstructWeights, KeepsTheFiltersThatStay) {
  const ir::Graph original = graph_of(
      "g (float[N,3,6,6] x, float[6,3,3,3] w1, float[6] b1, float[5,6,3,3] w2, float[5] b2,"
      " float[2,5,1,1] w3) => (float[N,2,6,6] y)"
      " { a = Conv<pads=[1,1,1,1]>(x, w1, b1) r = Relu(a)"
      "   c = Conv<pads=[1,1,1,1]>(r, w2, b2) t = Relu(c) y = Conv(t, w3) }");
  const Batches batches = images({8, 3, 6, 6}, 4);
  ir::Graph graph = original.clone();
  prune::PrunePlan plan = plan_of("w1", {1});
  plan.cuts.push_back({.group = "h", .initializer = "w2", .axis = 0, .removed = {0, 3}});
  const prune::CutMap cuts = cut_channels(graph, plan);
  const Tensor rows = unfolded(value_of(graph, "r", batches), 1);
  const Tensor targets = at::index_select(positions_first(value_of(original, "c", batches)), 1,
                                          kit::integers_of({1, 2, 4}));
  const auto result = reconstruct_weights(graph, original, cuts, batches, kExact);
  EXPECT_EQ(result.layers.size(), 2U);
  expect_weight(graph, "w2", "b2", least_squares(rows, targets));
}

TEST(ReconstructWeights, LeavesWeightsOfZeroInputsAlone) {
  const ir::Graph original = graph_of(kTwoConvs);
  const Batches batches = images({8, 3, 6, 6}, 4);
  ir::Graph cut = original.clone();
  ir::Graph masked = original.clone();
  const prune::CutMap cuts = cut_channels(cut, plan_of("w1", {1, 4}));
  (void)mask_channels(masked, plan_of("w1", {1, 4}));
  (void)reconstruct_weights(cut, original, cuts, batches, kExact);
  const auto result = reconstruct_weights(masked, original, {}, batches, kExact);
  EXPECT_EQ(result.layers.size(), 1U);
  const Tensor weight = masked.find_value("w2")->constant();
  const Tensor kept = at::index_select(weight, 1, kit::integers_of({0, 2, 3, 5}));
  EXPECT_THAT(kept,
              kit::IsCloseTo(cut.find_value("w2")->constant(), kit::Tolerance{.absolute = 1e-4}));
  const Tensor gone = kit::integers_of({1, 4});
  EXPECT_THAT(at::index_select(weight, 1, gone),
              kit::IsCloseTo(at::index_select(original.find_value("w2")->constant(), 1, gone)));
}

TEST(ReconstructWeights, NamesWhatItCannotMend) {
  const ir::Graph original = graph_of(
      "g (float[N,3,4,4] x, float[4,3,3,3] w1, float[4,2,2,2] w2) => (float[N,2,5,5] y)"
      " { a = Conv<pads=[1,1,1,1]>(x, w1) r = Relu(a) y = ConvTranspose(r, w2) }");
  ir::Graph graph = original.clone();
  const prune::CutMap cuts = cut_channels(graph, plan_of("w1", {1}));
  const auto result = reconstruct_weights(graph, original, cuts, images({2, 3, 4, 4}, 1), kExact);
  EXPECT_TRUE(result.layers.empty());
  ASSERT_EQ(result.skipped.size(), 1U);
  EXPECT_EQ(result.skipped[0].reason, "transposed convolutions are not reconstructed");
  kit::expect_user_error([&] { (void)reconstruct_weights(graph, original, cuts, {}); },
                         "cannot reconstruct weights: there are no images");
  kit::expect_user_error(
      [&] {
        (void)reconstruct_weights(graph, original, cuts, images({2, 3, 4, 4}, 1), {.ridge = 0});
      },
      "got 32 positions and ridge 0");
}

}  // namespace
}  // namespace espalier::passes
