#include "espalier/recipe/counted_macs.h"

#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "espalier/onnx/text.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::recipe {
namespace {

ir::Graph graph_of(const std::string& text) {
  ir::Graph graph = onnx::parse(text);
  onnx::infer_shapes(graph);
  return graph;
}

constexpr const char* kOpen =
    "g (float[N,3,H,W] x, float[4,3,3,3] w) => (float[N,4,H,W] y)"
    " { y = Conv<pads=[1,1,1,1]>(x, w) }";

TEST(CountedMacs, OpenSizesAreThoseOfTheSample) {
  const ir::Graph graph = graph_of(kOpen);
  EXPECT_TRUE(has_open_sizes(graph));
  const std::vector<Tensor> sample{kit::random_tensor({1, 3, 10, 12}, 1),
                                   kit::random_tensor({4, 3, 3, 3}, 2)};
  const CountedMacs counted = count_macs(graph, sample);
  EXPECT_EQ(counted.macs, (prune::NodeMacs{4 * 3 * 9 * 10 * 12}));
  EXPECT_TRUE(counted.uncounted.empty());
  EXPECT_EQ(sample_of_size(graph, 16).at(0).sizes(), (std::vector<std::int64_t>{1, 3, 16, 16}));
  EXPECT_FALSE(has_open_sizes(graph_of("g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }")))
      << "the batch alone";
}

TEST(CountedMacs, WhatInferenceCannotTellIsRun) {
  const ir::Graph graph = graph_of(
      "g (float[1,3,8,8] x, float[4,3,1,1] w) => (float[1,4,H,W] y)"
      " { s = Shape(x) r = Cast<to=1>(s) h = Sqrt(r) n = Cast<to=7>(h) z = Sub(n, n)"
      "   p = Concat<axis=0>(z, z) q = Pad(x, p) y = Conv(q, w) }");
  const std::vector<Tensor> sample{kit::random_tensor({1, 3, 8, 8}, 1),
                                   kit::random_tensor({4, 3, 1, 1}, 2)};
  EXPECT_EQ(count_macs(graph, sample).macs.back(), 4 * 3 * 8 * 8);
}

TEST(CountedMacs, SizesThatDoNotFitAreNamed) {
  const ir::Graph graph = graph_of(
      "g (float[N,3,H,W] x, float[10,48] w) => (float[N,10] y)"
      " { f = Flatten(x) y = Gemm<transB=1>(f, w) }");
  kit::expect_user_error(
      [&] {
        (void)count_macs(graph,
                         {kit::random_tensor({1, 3, 8, 8}, 1), kit::random_tensor({10, 48}, 2)});
      },
      "the model does not take inputs of [1, 3, 8, 8]");
}

TEST(CountedMacs, ABudgetOfMacsNeedsThemAll) {
  const CountedMacs counted{.macs = {0}, .uncounted = {"conv7"}};
  kit::expect_user_error([&] { check_counted(counted, prune::BudgetKind::Macs); }, "'conv7'");
  check_counted(counted, prune::BudgetKind::Bytes);
}

}  // namespace
}  // namespace espalier::recipe
