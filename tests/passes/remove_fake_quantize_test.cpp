#include "espalier/passes/remove_fake_quantize.h"

#include <gtest/gtest.h>

#include "espalier/passes/pipelines.h"
#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/training_flow.h"

namespace espalier::passes {
namespace {

TEST(RemoveFakeQuantize, LeavesTheFloatModel) {
  const auto made = passes_test::training_case({});
  ir::Graph graph = made.training.clone();
  EXPECT_GT(passes_test::apply(remove_fake_quantize(), graph), 4U);
  EXPECT_EQ(passes_test::ops_of(graph).find("FakeQuantize"), std::string::npos);
  EXPECT_EQ(graph.find_value("w1_scale"), nullptr) << "what it read is gone";
  EXPECT_THAT(passes_test::infer(graph),
              kit::IsCloseTo(passes_test::infer(made.model), kit::Tolerance{.absolute = 1e-9}));
}

TEST(RemoveFakeQuantize, LeavesAFloatModelAlone) {
  passes_test::expect_unchanged(remove_fake_quantize(),
                                "g (float[2] x) => (float[2] y) { y = Relu(x) }");
}

}  // namespace
}  // namespace espalier::passes
