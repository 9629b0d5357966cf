#include "espalier/passes/merge_shared_quantizers.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/passes/extract_plan.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/insert_fake_quantize.h"
#include "tests/kit/graph_text.h"
#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/small_plan.h"

namespace espalier::passes {
namespace {

struct Case {
  ir::Graph graph;
  quant::QuantPlan plan;
};

Case quantized(std::string_view text, const std::vector<std::string>& values) {
  Case made{.graph = passes_test::graph_of(text), .plan = {}};
  made.plan = passes_test::plan_for(made.graph, {.values = {}, .non_negative = values});
  made.plan.target = "x86";
  passes_test::apply(insert_fake_quantize(made.plan, {.round_biases = false}), made.graph);
  return made;
}

/// Quantized activations in graph order, and who shares with them: "r z(p, q)".
std::string quantizers(const ir::Graph& graph) {
  std::string text;
  for (const ir::Node* node : graph.nodes()) {
    if (!is_fake_quantize(*node) || node->input(0)->is_initializer()) continue;
    if (!text.empty()) text += " ";
    text += node->input(0)->name();
    const ir::Strings names = values_sharing(*node);
    if (!names.empty()) text += fmt::format("({})", fmt::join(names, ", "));
  }
  return text;
}

/// Merging changes no output, and extraction gives back the whole plan.
void expect_same(Case made, std::string_view left) {
  const ir::Graph before = made.graph.clone();
  merge_shared_quantizers(made.graph, made.plan);
  EXPECT_EQ(quantizers(made.graph), left);
  for (const ir::Value* value : made.graph.initializers()) {
    EXPECT_FALSE(value->uses().empty()) << value->name() << " belongs to a quantizer that is gone";
  }
  for (const auto& [name, expected] : passes_test::run_graph(before, {.unknown_size = 2})) {
    EXPECT_THAT(passes_test::run_graph(made.graph, {.unknown_size = 2}).at(name),
                kit::HasSameBits(expected));
  }
  const quant::QuantPlan again = extract_plan(made.graph, made.plan);
  EXPECT_THAT(again.edges, testing::UnorderedElementsAreArray(made.plan.edges));
  ASSERT_EQ(again.activations.size(), made.plan.activations.size());
  for (const auto& [name, activation] : made.plan.activations) {
    EXPECT_EQ(again.activations.at(name).params, activation.params) << name;
  }
}

TEST(MergeSharedQuantizers, WhatIsMovedStaysOnItsCodes) {
  expect_same(quantized("g (float[N,3,8,8] x, float[4,3,1,1] v, float[5,64] w) => (float[N,5] y)"
                        " <int64[2] shape = {0, 64}>"
                        " { [c] a = Conv(x, v) [r] r = Relu(a)"
                        "   [p] p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)"
                        "   [f] f = Reshape(p, shape) [g] y = Gemm<transB=1>(f, w) }",
                        {"r", "p", "f"}),
              "r(p, f)");
}

constexpr std::string_view kJoined =
    "g (float[N,3,8,8] x, float[4,3,1,1] v, float[4,3,1,1] w, float[5,8,1,1] u)"
    " => (float[N,5,4,4] y)"
    " { [c1] a = Conv(x, v) [r1] r = Relu(a)"
    "   [p1] p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r)"
    "   [c2] b = Conv<strides=[2,2]>(x, w) [r2] s = Relu(b)"
    "   [cat] z = Concat<axis=1>(p, s) [c3] y = Conv(z, u) }";

TEST(MergeSharedQuantizers, JoinedValuesAreQuantizedBehindTheirConcat) {
  expect_same(quantized(kJoined, {"r", "p", "s", "z"}), "z(p, s, r)");
}

TEST(MergeSharedQuantizers, OtherParametersAndEstimatorsStayApart) {
  Case made = quantized(kJoined, {"r", "p", "s", "z"});
  made.plan.activations.at("p").params.scale[0] *= 2;
  EXPECT_EQ(merge_shared_quantizers(made.graph, made.plan), 0U);
  made = quantized(kJoined, {"r", "p", "s", "z"});
  for (ir::Node* node : made.graph.nodes()) {
    if (is_fake_quantize(*node) && node->input(0)->name() == "s") {
      node->set("estimator", std::string("lsq"));
    }
  }
  merge_shared_quantizers(made.graph, made.plan);
  EXPECT_EQ(quantizers(made.graph), "r(p) s z");
}

TEST(MergeSharedQuantizers, InputsThatOthersReadKeepTheirQuantizer) {
  Case made = quantized(
      "g (float[N,3,8,8] x, float[4,3,1,1] v, float[4,3,1,1] w, float[5,8,1,1] u,"
      " float[5,4,1,1] o) => (float[N,5,8,8] y, float[N,5,8,8] second)"
      " { [c1] a = Conv(x, v) [r1] r = Relu(a) [c2] b = Conv(x, w) [r2] s = Relu(b)"
      "   [cat] z = Concat<axis=1>(r, s) [c3] y = Conv(z, u) [c4] second = Conv(s, o) }",
      {"r", "s", "z"});
  EXPECT_EQ(merge_shared_quantizers(made.graph, made.plan), 0U);
}

}  // namespace
}  // namespace espalier::passes
