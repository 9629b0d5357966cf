#include "espalier/passes/close_channels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(CloseChannels, TakesThemFromTheWeight) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,C,H,W] x, float[6,2,1,1] w) => (float[N,M,H,W] y) { r = Relu(x)"
      " c = Conv<group=3>(x, w) s = Sum(c, r) y = Neg(s) }");
  EXPECT_EQ(passes_test::apply(close_channels(), graph), 1U);
  EXPECT_EQ(tensor::to_string(*graph.inputs()[0]->type().shape), "[N, 6, H, W]");
  EXPECT_EQ(passes_test::apply(close_channels(), graph), 0U);
  onnx::infer_shapes(graph);
  EXPECT_EQ(tensor::to_string(*graph.find_value("r")->type().shape), "[N, 6, H, W]");
}

TEST(CloseChannels, KeepsWhatItDoesNotKnow) {
  passes_test::expect_unchanged(
      close_channels(),
      "g (float[1,6,4,4] x, float[6,2,1,1] w) => (float[1,6,4,4] y) { y = Conv<group=3>(x, w) }");
  passes_test::expect_unchanged(close_channels(),
                                "g (float[N,C,H,W] x) => (float[N,C,H,W] y) { y = Relu(x) }");
}

}  // namespace
}  // namespace espalier::passes
