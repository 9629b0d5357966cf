#include "espalier/passes/fuse_hard_swish.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

std::string text_of(const std::string& body) {
  return "g (float[64] x) => (float[64] y) { three = Constant<value_float=3.0>()"
         " zero = Constant<value_float=0.0>() six = Constant<value_float=6.0>()"
         " sixth = Constant<value_float=0.16666667>() " +
         body + " }";
}

constexpr const char* kGate = "a = Add(x, three) b = Clip(a, zero, six) ";

TEST(FuseHardSwish, FusesEveryForm) {
  const std::string gate = kGate;
  for (const std::string& body :
       {gate + "c = Div(b, six) y = Mul(x, c)", gate + "c = Mul(sixth, b) y = Mul(c, x)",
        gate + "c = Mul(x, b) y = Div(c, six)", gate + "c = Mul(b, x) y = Mul(c, sixth)",
        std::string("c = HardSigmoid<alpha=0.16666667, beta=0.5>(x) y = Mul(x, c)")}) {
    ir::Graph graph = passes_test::graph_of(text_of(body));
    const ir::Graph before = graph.clone();
    EXPECT_GE(passes_test::apply(fuse_hard_swish(), graph), 1U) << body;
    EXPECT_EQ(passes_test::ops_of(graph), "HardSwish") << body;
    passes_test::expect_same_outputs(graph, before, {}, {.absolute = 1e-6, .relative = 1e-5});
  }
}

TEST(FuseHardSwish, FusesTheGateAlone) {
  ir::Graph graph = passes_test::graph_of(text_of(std::string(kGate) + "y = Div(b, six)"));
  const ir::Graph before = graph.clone();
  EXPECT_EQ(passes_test::apply(fuse_hard_swish(), graph), 1U);
  EXPECT_EQ(passes_test::ops_of(graph), "HardSigmoid");
  passes_test::expect_same_outputs(graph, before);
}

TEST(FuseHardSwish, KeepsOtherNumbersAndSharedGates) {
  for (const std::string& body :
       {std::string("a = Add(x, six) b = Clip(a, zero, six) c = Div(b, six) y = Mul(x, c)"),
        std::string("a = Add(x, three) b = Clip(a, zero, three) c = Div(b, six) y = Mul(x, c)"),
        std::string("a = Add(x, three) b = Clip(a, zero, six) c = Div(b, three) y = Mul(x, c)"),
        std::string("c = HardSigmoid(x) y = Mul(x, c)")}) {
    passes_test::expect_unchanged(fuse_hard_swish(), text_of(body));
  }
  passes_test::expect_unchanged(
      fuse_hard_swish(),
      "g (float[64] x) => (float[64] y, float[64] c)"
      " { c = HardSigmoid<alpha=0.16666667, beta=0.5>(x) y = Mul(x, c) }");
}

}  // namespace
}  // namespace espalier::passes
