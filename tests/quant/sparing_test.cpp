#include "espalier/quant/sparing.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::calibrated;
using quant_test::graph_of;
using testing::ElementsAre;
using testing::IsEmpty;

/// A wide layer, then a small sum, pooling and a head.
constexpr std::string_view kSmallTail =
    "g (float[N,3,16,16] x, float[8,3,3,3] w, float[8,8,1,1] v, float[8,8,1,1] o, float[4,8] u)"
    " => (float[N,4] y)"
    " { [c1] a = Conv<pads=[1,1,1,1]>(x, w) [r1] r = Relu(a)"
    "   [c2] e = Conv<strides=[8,8]>(r, v) [c3] h = Conv<strides=[8,8]>(r, o)"
    "   [add] s = Add(e, h) [r2] t = Relu(s) [pool] p = GlobalAveragePool(t)"
    "   [flat] f = Flatten(p) [gemm] y = Gemm<transB=1>(f, u) }";

/// The sum is as large as everything else.
constexpr std::string_view kLargeTail =
    "g (float[N,3,16,16] x, float[8,3,3,3] w, float[4,8] u) => (float[N,4] y)"
    " { [c1] a = Conv<pads=[1,1,1,1]>(x, w) [add] s = Add(a, a) [pool] p = GlobalAveragePool(s)"
    "   [flat] f = Flatten(p) [gemm] y = Gemm<transB=1>(f, u) }";

std::vector<std::string> names_of(const std::vector<const ir::Node*>& nodes) {
  std::vector<std::string> names;
  for (const ir::Node* node : nodes) names.push_back(node->name());
  return names;
}

std::vector<std::string> float_names(const QuantPlan& plan) {
  std::vector<std::string> names;
  for (const FloatNode& node : plan.float_nodes) names.push_back(node.node);
  return names;
}

/// 1, less `gain` for each of these nodes that is float.
PlanError rewards(std::map<std::string, double> gains) {
  return [gains = std::move(gains)](const QuantPlan& plan) {
    double error = 1;
    for (const std::string& name : float_names(plan)) {
      if (const auto gain = gains.find(name); gain != gains.end()) error -= gain->second;
    }
    return error;
  };
}

QuantPlan plan_with(const PlanOptions& options) {
  const ir::Graph graph = graph_of(kSmallTail);
  return make_plan(graph, calibrated(graph, options.target), options);
}

bool is_quantized(const QuantPlan& plan, std::string_view node) {
  return std::ranges::any_of(plan.edges, [&](const EdgeKey& edge) { return edge.node == node; });
}

TEST(Sparing, NamesSmallEndLayersInOrder) {
  const ir::Graph graph = graph_of(kSmallTail);
  EXPECT_THAT(names_of(layers_to_spare(graph, {.float_mac_share = 1})), ElementsAre("c1", "gemm"));
  EXPECT_THAT(names_of(layers_to_spare(graph, {.float_mac_share = 0.05})), ElementsAre("gemm"));
  EXPECT_THAT(layers_to_spare(graph, {.float_mac_share = 0}), IsEmpty());
}

TEST(Sparing, ALayerWhoseBitsAreNamedIsNotSpared) {
  const ir::Graph graph = graph_of(kSmallTail);
  const PlanOptions named{.bits = {{.pattern = "gem*", .weights = 8}}, .float_mac_share = 1};
  EXPECT_THAT(names_of(layers_to_spare(graph, named)), ElementsAre("c1"));
  const PlanOptions by_op{.bits = {{.pattern = "Gemm", .weights = 8}}, .float_mac_share = 1};
  EXPECT_THAT(names_of(layers_to_spare(graph, by_op)), ElementsAre("c1"));
  const QuantPlan plan = plan_with({.bits = {{.pattern = "Gemm", .weights = 8}},
                                    .error = rewards({{"gemm", 0.5}}),
                                    .float_mac_share = 0.05});
  EXPECT_THAT(float_names(plan), testing::Not(testing::Contains("gemm")));
}

TEST(Sparing, TailIsWhatNoIntegerLayerDependsOn) {
  const ir::Graph graph = graph_of(kSmallTail);
  EXPECT_THAT(idle_tail(graph, place_for(graph, {}, {})), IsEmpty()) << "the head is quantized";
  EXPECT_THAT(names_of(idle_tail(graph, place_for(graph, {}, {{"gemm", "spared"}}))),
              ElementsAre("add", "r2", "pool", "flat"));
}

TEST(Sparing, LargeTailsStayInIntegers) {
  const ir::Graph graph = graph_of(kLargeTail);
  EXPECT_THAT(idle_tail(graph, place_for(graph, {}, {{"gemm", "spared"}})), IsEmpty());
}

TEST(Sparing, TailFollowsItsHeadWhereThatLowersTheError) {
  const QuantPlan both = plan_with({.error = rewards({{"gemm", 0.1}, {"add", 0.001}})});
  EXPECT_THAT(float_names(both), testing::IsSupersetOf({"add", "pool", "gemm"}));
  EXPECT_FALSE(is_quantized(both, "pool"));
  EXPECT_TRUE(is_quantized(both, "c2"));
  EXPECT_TRUE(both.activations.contains("e")) << "an integer convolution has an integer result";
  EXPECT_FALSE(both.activations.contains("t"));

  const QuantPlan head = plan_with({.error = rewards({{"gemm", 0.1}, {"add", -0.001}})});
  EXPECT_THAT(float_names(head), ElementsAre("gemm"));
  EXPECT_TRUE(is_quantized(head, "pool"));

  const QuantPlan neither = plan_with({.error = rewards({{"gemm", 0.02}, {"add", 0.5}})});
  EXPECT_THAT(float_names(neither), IsEmpty())
      << "a tail exists only behind the last integer layer";
}

}  // namespace
}  // namespace espalier::quant
