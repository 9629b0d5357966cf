#include "espalier/passes/infer_shapes.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(InferShapes, SetsTypesAndCountsNothing) {
  ir::Graph graph =
      passes_test::graph_of("g (float[2,3] x) => (float[3,2] y) { a = Transpose(x) y = Relu(a) }");
  graph.find_value("a")->set_type({});
  EXPECT_EQ(passes_test::apply(infer_shapes(), graph), 0U);
  EXPECT_EQ(graph.find_value("a")->type().shape, tensor::make_shape({3, 2}));
}

}  // namespace
}  // namespace espalier::passes
