#include "espalier/passes/drop_clip_bounds.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "espalier/passes/insert_fake_quantize.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/small_plan.h"

namespace espalier::passes {
namespace {

/// Clip(x, lowest, 6) in front of an unsigned quantizer; `more`: what else reads the Clip.
ir::Graph clipped(int bits, float scale, std::string_view lowest = "0.0",
                  std::string_view more = "") {
  ir::Graph graph = passes_test::graph_of(
      fmt::format("g (float[64] x) => (float[64] y{}) {{ lowest = Constant<value_float={}>()"
                  " six = Constant<value_float=6.0>() c = Clip(x, lowest, six) y = Neg(c) {} }}",
                  more.empty() ? "" : ", float[64] o", lowest, more));
  quant::QuantPlan plan = passes_test::plan_for(
      graph, {.values = {},
              .special = {{"c", {.grid = {.bits = bits}, .scale = {scale}, .zero_point = {0}}}}});
  std::erase_if(plan.edges, [](const auto& edge) { return edge.node == "o"; });
  passes_test::apply(insert_fake_quantize(plan), graph);
  return graph;
}

TEST(DropClipBounds, QuantizersOfFewBitsBoundTheirCodesThemselves) {
  struct Case {
    int bits;
    float scale;
  };
  // The last code of 6 / 15 in float32 stands for a little more than 6.
  for (const auto& [bits, scale] : {Case{4, 0.4F}, {4, 0.1F}, {2, 2.0F}, {7, 6.0F / 127}}) {
    SCOPED_TRACE(scale);
    ir::Graph graph = clipped(bits, scale);
    const ir::Graph before = graph.clone();
    EXPECT_EQ(passes_test::apply(drop_clip_bounds(), graph), 1U);
    EXPECT_EQ(passes_test::ops_of(graph), "Relu FakeQuantize Neg");
    const Tensor input = kit::random_tensor({64}, 3) * 20;
    EXPECT_TRUE(
        at::equal(passes_test::run_on(graph, {input})[0], passes_test::run_on(before, {input})[0]));
  }
}

TEST(DropClipBounds, KeepsWhatBoundsTheCodes) {
  const auto unchanged = [](ir::Graph graph) {
    return passes_test::apply(drop_clip_bounds(), graph) == 0;
  };
  EXPECT_TRUE(unchanged(clipped(4, 0.5F))) << "codes reach 7.5";
  EXPECT_TRUE(unchanged(clipped(8, 0.02F)));
  EXPECT_TRUE(unchanged(clipped(4, 0.4F, "0.5")));
  EXPECT_TRUE(unchanged(clipped(4, 0.4F, "0.0", "[o] o = Neg(c)"))) << "another reader";
}

}  // namespace
}  // namespace espalier::passes
