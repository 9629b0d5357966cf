#include "espalier/passes/matmul_add_to_gemm.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(MatMulAddToGemm, JoinsAFullyConnectedLayer) {
  for (const char* add : {"y = Add(a, b)", "y = Add(b, a)", "y = Add(a, r)", "y = Add(a, s)"}) {
    ir::Graph graph = passes_test::graph_of(
        "g (float[N,3] x, float[3,4] w, float[4] b, float[1,4] r, float[1] s) => (float[N,4] y)"
        " { a = MatMul(x, w) " +
        std::string(add) + " }");
    const ir::Graph before = graph.clone();
    EXPECT_EQ(passes_test::apply(matmul_add_to_gemm(), graph), 1U);
    EXPECT_EQ(passes_test::ops_of(graph), "Gemm");
    EXPECT_EQ(graph.nodes()[0]->input(2)->type().shape, tensor::make_shape({4}));
    passes_test::expect_same_outputs(graph, before);
  }
}

TEST(MatMulAddToGemm, KeepsWhatIsNoGemm) {
  passes_test::expect_unchanged(matmul_add_to_gemm(),
                                "g (float[N,2,3] x, float[3,4] w, float[4] b) => (float[N,2,4] y)"
                                " { a = MatMul(x, w) y = Add(a, b) }");
  passes_test::expect_unchanged(matmul_add_to_gemm(),
                                "g (float[N,3] x, float[3,4] xw, float[4] b) => (float[N,4] y)"
                                " { a = MatMul(x, xw) y = Add(a, b) }");
  passes_test::expect_unchanged(matmul_add_to_gemm(),
                                "g (float[4,3] x, float[3,4] w, float[4,1] b) => (float[4,4] y)"
                                " { a = MatMul(x, w) y = Add(a, b) }");
  passes_test::expect_unchanged(
      matmul_add_to_gemm(),
      "g (float[N,3] x, float[3,4] w, float[4] b) => (float[N,4] y, float[N,4] z)"
      " { a = MatMul(x, w) y = Add(a, b) z = Relu(a) }");
}

}  // namespace
}  // namespace espalier::passes
