#include "espalier/passes/check_cut.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

prune::PrunePlan plan_of(const std::vector<std::int64_t>& removed) {
  return {.model_id = {},
          .criterion = {},
          .cuts = {{.group = "first", .initializer = "v", .axis = 0, .removed = removed}}};
}

constexpr std::string_view kTwoLayers =
    "g (float[N,3,4,4] x, float[4,3,1,1] v, float[5,4,1,1] w) => (float[N,5,4,4] y)"
    " { a = Conv(x, v) s = Sigmoid(a) y = Conv(s, w) }";

TEST(CheckCut, ARightCutPassesAndAWrongOneIsSeen) {
  const CutCheck check = check_cut(passes_test::graph_of(kTwoLayers), plan_of({0, 3}));
  EXPECT_TRUE(check.passed);
  EXPECT_LE(check.difference64, 1e-10);
  EXPECT_LE(check.difference32, 1e-4);
  ASSERT_TRUE(check.wrong_difference.has_value());
  EXPECT_GE(*check.wrong_difference, 1e-3);
  EXPECT_EQ(check.weakest_share, 1);
}

TEST(CheckCut, BranchesThatHideAreNamed) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2,3,4,4] x, float[4,3,1,1] v, float[4,4,1,1] w, float[2,4,1,1] u)"
      " => (float[2,2,4,4] y) { a = Conv(x, v) b = Conv(a, w) z = Add(a, b) y = Conv(z, u) }");
  graph.rename(*graph.find_value("z")->producer(), "sum");
  Tensor weight = graph.find_value("w")->constant().clone();
  graph.set_constant(*graph.find_value("w"), weight.mul_(1e-4));
  const CutCheck own = check_cut(graph, plan_of({1}), {.draw = false});
  EXPECT_FALSE(own.passed);
  EXPECT_LT(own.weakest_share, 0.01);
  EXPECT_EQ(own.weakest_node, "sum");
  EXPECT_TRUE(check_cut(graph, plan_of({1})).passed);
}

TEST(CheckCut, LimitsDecide) {
  const CutCheck check =
      check_cut(passes_test::graph_of(kTwoLayers), plan_of({0}), {.least_wrong = 1e9});
  EXPECT_FALSE(check.passed);
}

TEST(CheckCut, APlanWithoutCutsHasNothingToGetWrong) {
  const CutCheck check = check_cut(passes_test::graph_of(kTwoLayers), {});
  EXPECT_TRUE(check.passed);
  EXPECT_EQ(check.difference64, 0);
  EXPECT_FALSE(check.wrong_difference.has_value());
}

TEST(CheckCut, PlansThatDoNotFitAreRefused) {
  kit::expect_user_error(
      [] {
        (void)check_cut(passes_test::graph_of(kTwoLayers), plan_of({0, 1, 2, 3}));
      },
      "expected at least one that stays");
}

}  // namespace
}  // namespace espalier::passes
