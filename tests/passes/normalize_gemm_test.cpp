#include "espalier/passes/normalize_gemm.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(NormalizeGemm, MovesAlphaAndBetaIntoTheConstants) {
  for (const char* bias : {"b", "r", "s"}) {
    ir::Graph graph = passes_test::graph_of(
        "g (float[N,3] x, float[4,3] w, float[4] b, float[1,4] r, float[1] s) => (float[N,4] y)"
        " { y = Gemm<alpha=0.5, beta=3.0, transB=1>(x, w, " +
        std::string(bias) + ") }");
    const ir::Graph before = graph.clone();
    EXPECT_EQ(passes_test::apply(normalize_gemm(), graph), 1U);
    const ir::Node& gemm = *graph.nodes()[0];
    EXPECT_FALSE(gemm.has("alpha"));
    EXPECT_FALSE(gemm.has("beta"));
    EXPECT_EQ(gemm.get_int("transB"), 1);
    EXPECT_EQ(gemm.input(2)->type().shape, tensor::make_shape({4}));
    passes_test::expect_same_outputs(graph, before);
    EXPECT_EQ(passes_test::apply(normalize_gemm(), graph), 0U);
  }
}

TEST(NormalizeGemm, KeepsOthers) {
  passes_test::expect_unchanged(normalize_gemm(),
                                "g (float[N,3] x, float[3,4] w, float[4] b) => (float[N,4] y)"
                                " { y = Gemm<alpha=1.0>(x, w, b) }");
  passes_test::expect_unchanged(normalize_gemm(),
                                "g (float[2,3] x, float[3,4] w, float[2,4] b) => (float[2,4] y)"
                                " { y = Gemm<alpha=0.5>(x, w, b) }");
  passes_test::expect_unchanged(normalize_gemm(),
                                "g (float[N,3] x, float[3,4] xw, float[4] b) => (float[N,4] y)"
                                " { y = Gemm<alpha=0.5>(x, xw, b) }");
}

TEST(NormalizeGemm, KeepsNumbersThatOverflow) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,1] x, float[1,2] w) => (float[N,2] y) { y = Gemm<alpha=2.0>(x, w) }");
  graph.set_constant(*graph.find_value("w"), kit::tensor_of({3e38F, 1}, {1, 2}));
  EXPECT_EQ(passes_test::apply(normalize_gemm(), graph), 0U);
}

}  // namespace
}  // namespace espalier::passes
