#include "espalier/passes/clip_to_relu.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

std::string clip(const std::string& arguments) {
  return "g (float[8] x) => (float[8] y) { zero = Constant<value_float=0.0>()"
         " six = Constant<value_float=6.0>() most = Constant<value_float=3.4028235e38>()"
         " y = Clip(x" +
         arguments + ") }";
}

TEST(ClipToRelu, RewritesClipWithoutUpperLimit) {
  for (const char* arguments : {", zero", ", zero, most"}) {
    ir::Graph graph = passes_test::graph_of(clip(arguments));
    const ir::Graph before = graph.clone();
    EXPECT_EQ(passes_test::apply(clip_to_relu(), graph), 1U);
    EXPECT_EQ(passes_test::ops_of(graph), "Relu");
    EXPECT_EQ(graph.nodes()[0]->inputs().size(), 1U);
    passes_test::expect_same_outputs(graph, before);
  }
}

TEST(ClipToRelu, KeepsOtherLimits) {
  for (const char* arguments : {"", ", zero, six", ", six", ", , most"}) {
    passes_test::expect_unchanged(clip_to_relu(), clip(arguments));
  }
  passes_test::expect_unchanged(
      clip_to_relu(),
      "g (int32[8] x) => (int32[8] y) { z = Constant<value = int32 {0}>() y = Clip(x, z) }");
  passes_test::expect_unchanged(clip_to_relu(),
                                "g (float[8] x, float xmin) => (float[8] y) { y = Clip(x, xmin) }");
}

}  // namespace
}  // namespace espalier::passes
