#include "espalier/passes/check_cut.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
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

TEST(CheckCut, ClassesAreJudgedByWhatTheyAreChosenFrom) {
  // The cut of an output that says 0 or 1 is proven by the numbers in front of it.
  const CutCheck check = check_cut(
      passes_test::graph_of(
          "g (float[N,3,4,4] x, float[4,3,1,1] v, float[5,4,1,1] w) => (int64[N,5,4] y)"
          " { a = Conv(x, v) s = Sigmoid(a) c = Conv(s, w) y = ArgMax<axis=2, keepdims=0>(c) }"),
      plan_of({0, 3}));
  EXPECT_TRUE(check.passed);
  ASSERT_TRUE(check.wrong_difference.has_value());
  EXPECT_GE(*check.wrong_difference, 1e-3);
  EXPECT_LT(*check.wrong_difference, 100);
}

/// Graphs in which sizes or attributes must follow the cut of "v".
class CutOf : public testing::TestWithParam<std::pair<std::string, std::string>> {};

TEST_P(CutOf, IsProven) {
  const CutCheck check = check_cut(passes_test::graph_of(GetParam().second), plan_of({0, 1}));
  EXPECT_TRUE(check.passed) << check.difference64 << " " << check.difference32 << " "
                            << check.weakest_share;
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, CutOf,
    testing::Values(
        std::pair("zeros_like",
                  "g (float[N,3,4,4] x, float[4,3,1,1] v, float[5,8,1,1] w) => (float[N,5,4,4] y)"
                  " { a = Conv(x, v) s = Shape(a) z = ConstantOfShape(s) c = Concat<axis=1>(z, a)"
                  "   y = Conv(c, w) }"),
        std::pair("reshape_as_another",
                  "g (float[N,3,H,W] x, float[4,3,1,1] v, float[4,3,1,1] u, float[5,4,1,1] w)"
                  " => (float[N,5,H,W] y)"
                  " { a = Conv(x, v) b = Conv(x, u) s = Shape(a) c = Reshape(b, s) d = Mul(a, c)"
                  "   y = Conv(d, w) }"),
        std::pair("resize_as_another",
                  "g (float[N,3,H,W] x, float[4,3,1,1] v, float[5,4,1,1] w) => (float[N,5,K,L] y)"
                  " <int64[4] twice = {1, 1, 2, 2}, float[0] none = {}>"
                  " { a = Conv(x, v) s = Shape(a) t = Mul(s, twice)"
                  "   r = Resize<mode=\"nearest\">(a, none, none, t) y = Conv(r, w) }"),
        std::pair("expand_as_another",
                  "g (float[N,3,H,W] x, float[4,3,1,1] v, float[1,1,1,1] one, float[5,8,1,1] w)"
                  " => (float[N,5,H,W] y)"
                  " { a = Conv(x, v) s = Shape(a) e = Expand(one, s) c = Concat<axis=1>(e, a)"
                  "   y = Conv(c, w) }"),
        std::pair("expand_to_sizes_put_together",
                  "g (float[N,3,H,W] x, float[4,3,1,1] v, float[5,4,1,1] w) => (float[N,5,H,W] y)"
                  " <int64[2] axes = {0, 1}, int64[2] map = {2, 3}>"
                  " { a = Conv(x, v) p = GlobalAveragePool(a) s = Shape(a) n = Gather(s, axes)"
                  "   h = Gather(s, map) t = Concat<axis=0>(n, h) e = Expand(p, t)"
                  "   m = Mul(e, a) y = Conv(m, w) }"),
        std::pair("squeeze_of_all_ones",
                  "g (float[2,3,4,4] x, float[3,3,1,1] v, float[3,5] w) => (float[2,5] y)"
                  " { a = Conv(x, v) p = GlobalAveragePool(a) s = Squeeze(p) y = Gemm(s, w) }")),
    [](const auto& test) { return test.param.first; });

TEST(CheckCut, CountsInAVarianceAreNoGains) {
  // A gain that was drawn in the place of the count may make the variance negative.
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const CutCheck check = check_cut(
        passes_test::graph_of(
            "g (float[N,3,16,16] x, float[4,3,1,1] v, float[5,4,1,1] w) => (float[N,5,16,16] y)"
            " <float count = {255}, float epsilon = {0.00001}>"
            " { a = Conv(x, v) m = GlobalAveragePool(a) d = Sub(a, m) q = Mul(d, d)"
            "   s = GlobalAveragePool(q) u = Div(s, count) e = Add(u, epsilon) r = Sqrt(e)"
            "   n = Div(d, r) b = Add(n, a) y = Conv(b, w) }"),
        plan_of({0, 3}), {.seed = seed});
    EXPECT_TRUE(check.is_number) << seed;
  }
}

TEST(CheckCut, ANetworkThatGivesNoNumbersSaysSo) {
  const CutCheck check =
      check_cut(passes_test::graph_of(
                    "g (float[N,3,4,4] x, float[4,3,1,1] v, float[5,4,1,1] w) => (float[N,5,4,4] y)"
                    " { a = Conv(x, v) l = Log(a) y = Conv(l, w) }"),
                plan_of({0, 3}));
  EXPECT_FALSE(check.is_number);
  EXPECT_FALSE(check.passed);
}

TEST(CheckCut, OpenHeightAndWidthNeedNotBeEqual) {
  const ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,H,W] x, float[4,3,1,1] v, float[128,5] w) => (float[N,5] y)"
      " <int64[2] shape = {0, 128}> { a = Conv(x, v) f = Reshape(a, shape) y = MatMul(f, w) }");
  const CutCheck check = check_cut(graph, plan_of({}), {.unknown_size = {.height = 4, .width = 8}});
  EXPECT_EQ(check.difference64, 0);
  EXPECT_ANY_THROW(
      (void)check_cut(graph, plan_of({}), {.unknown_size = {.height = 4, .width = 4}}));
}

TEST(LargestDifference, EqualInfinitiesAreEqualAndNothingElseIs) {
  const auto difference = [](const std::vector<float>& left, const std::vector<float>& right) {
    return largest_difference({kit::tensor_of(left)}, {kit::tensor_of(right)});
  };
  EXPECT_EQ(difference({1, -HUGE_VALF}, {1, -HUGE_VALF}), 0);
  EXPECT_DOUBLE_EQ(difference({3, HUGE_VALF}, {4, HUGE_VALF}), 0.25);
  EXPECT_EQ(difference({1, HUGE_VALF}, {1, -HUGE_VALF}), HUGE_VAL);
  EXPECT_EQ(difference({1, HUGE_VALF}, {1, 2}), HUGE_VAL);
  EXPECT_EQ(difference({1, std::nanf("")}, {1, std::nanf("")}), HUGE_VAL);
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
