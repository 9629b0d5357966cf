#include "espalier/passes/cut_channels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/prune/channel_map.h"
#include "tests/kit/expect_error.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

using testing::ElementsAre;

/// Channels of the first weight's filter axis that go.
prune::PrunePlan plan_of(const std::string& weight, const std::vector<std::int64_t>& removed) {
  return {.model_id = {},
          .criterion = {},
          .cuts = {{.group = "first", .initializer = weight, .axis = 0, .removed = removed}}};
}

std::vector<std::int64_t> sizes_of(const ir::Graph& graph, std::string_view value) {
  return *tensor::known_sizes(*graph.find_value(value)->type().shape);
}

TEST(CutChannels, TensorsAndTypesShrink) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2,3,4,4] x, float[8,3,1,1] v, float[8] e, float[5,8,1,1] w) => (float[2,5,4,4] y)"
      " { a = Conv(x, v, e) r = Relu(a) y = Conv(r, w) }");
  const Tensor before = graph.find_value("w")->constant();
  const prune::CutMap cuts = cut_channels(graph, plan_of("v", {0, 2, 7}));
  EXPECT_THAT(sizes_of(graph, "v"), ElementsAre(5, 3, 1, 1));
  EXPECT_THAT(sizes_of(graph, "e"), ElementsAre(5));
  EXPECT_THAT(sizes_of(graph, "w"), ElementsAre(5, 5, 1, 1));
  EXPECT_THAT(sizes_of(graph, "r"), ElementsAre(2, 5, 4, 4));
  EXPECT_THAT(sizes_of(graph, "y"), ElementsAre(2, 5, 4, 4));
  EXPECT_THAT(graph.find_value("w")->constant(),
              kit::HasSameBits(before.index_select(1, kit::integers_of({1, 3, 4, 5, 6}))));
  EXPECT_EQ(cuts.size(), 3U);
  EXPECT_THAT(cuts.at("w").at(0).kept, ElementsAre(1, 3, 4, 5, 6));
}

TEST(CutChannels, NumbersInOperandsAndAttributesFollow) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2,3,4,4] x, float[4,3,1,1] v, float[4,1,1,1] d, float[2,4,1,1] w)"
      " => (float[2,2,4,4] y) {"
      " a = Conv(x, v) b = Conv<group=4>(a, d) s = Constant<value_ints=[2,4,16]>()"
      " f = Reshape(b, s) t = Constant<value_ints=[2,4,4,4]>() u = Reshape(f, t) y = Conv(u, w) }");
  cut_channels(graph, plan_of("v", {1}));
  EXPECT_EQ(graph.find_value("b")->producer()->get_int("group", 1), 3);
  EXPECT_THAT(sizes_of(graph, "f"), ElementsAre(2, 3, 16));
  EXPECT_THAT(sizes_of(graph, "u"), ElementsAre(2, 3, 4, 4));
}

TEST(CutChannels, GroupsStayWhereTheSizeOfTheirAxisIsOpen) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2,C,4,4] x, float[4,1,1,1] d, float[8,4,1,1] v,"
      " float[2,8,1,1] w) => (float[2,2,4,4] y)"
      " { a = Conv<group=4>(x, d) b = Conv(a, v) y = Conv(b, w) }");
  cut_channels(graph, plan_of("v", {1, 5}));
  EXPECT_EQ(graph.find_value("a")->producer()->get_int("group", 1), 4);
  EXPECT_THAT(sizes_of(graph, "w"), ElementsAre(2, 6, 1, 1));
}

TEST(CutChannels, AGraphWithComputedSizesCanBeCutAgain) {
  const std::string front =
      "g (float[N,3,H,W] x, float[4,3,1,1] v, float[6,4,1,1] w, float[5,10,1,1] u)"
      " => (float[N,5,H,W] y) <int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4},"
      " int64[2] batch = {0, 1}, int64[1] six = {6}, int64[1] one = {1}, float[1,6,1,1] o = "
      "{1,1,1,1,1,1}>"
      " { a = Conv(x, v) p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(a) q = Conv(p, w)"
      "   s = Shape(a) map = Slice(s, two, four) k = Shape(q) own = Slice(k, zero, two)"
      "   sizes = Concat<axis=0>(own, map) ";
  const std::string back = " c = Concat<axis=1>(r, a) y = Conv(c, u) }";
  const std::string cases[] = {"r = Resize(q, , , sizes)",
                               "t = Resize(q, , , sizes) e = Expand(o, sizes) r = Mul(t, e)"};
  for (const std::string& middle : cases) {
    ir::Graph graph = passes_test::graph_of(front + middle + back);
    cut_channels(graph, plan_of("w", {1}));
    const prune::ChannelMap map(graph);
    const auto filters = map.along({graph.find_value("w"), 0});
    ASSERT_EQ(filters.size(), 5U);
    EXPECT_FALSE(map.is_fixed(filters[0])) << middle;
    cut_channels(graph, plan_of("w", {0, 3}));
    EXPECT_THAT(sizes_of(graph, "u"), ElementsAre(5, 7, 1, 1)) << middle;
    EXPECT_EQ(passes_test::run_graph(graph, {.unknown_size = 4}).at("y").size(1), 5);
  }
}

TEST(CutChannels, AnEmptyPlanChangesNothing) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2,3,4,4] x, float[8,3,1,1] v) => (float[2,8,4,4] y) { y = Conv(x, v) }");
  const ir::Graph before = graph.clone();
  EXPECT_TRUE(cut_channels(graph, prune::PrunePlan{}).empty());
  passes_test::expect_same_outputs(graph, before);
}

TEST(CutChannels, PlansOfOtherModelsAreRefused) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[2,3,4,4] x, float[8,3,1,1] v) => (float[2,8,4,4] y) { y = Conv(x, v) }");
  kit::expect_user_error([&] { cut_channels(graph, plan_of("w", {1})); },
                         "got 'w', expected an initializer of the graph");
  kit::expect_user_error([&] { cut_channels(graph, plan_of("v", {1})); },
                         "got position 1, which must stay");
}

}  // namespace
}  // namespace espalier::passes
