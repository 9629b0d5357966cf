#include "espalier/prune/filter_changes.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

Axis filters_of(const ir::Graph& graph, std::string_view weight) {
  return {graph.find_value(weight), 0};
}

TEST(FilterChanges, TheNormalizationBehindALayerSaysWhatItChanges) {
  ir::Graph graph = prune_test::named_graph_of(
      "g (float[1,2,4,4] x, float[3,2,1,1] w, float[3] s, float[3] o, float[3] m, float[3] v,"
      " float[4,3,1,1] wc) => (float[1,4,4,4] y) {"
      " a = Conv(x, w) n = BatchNormalization(a, s, o, m, v) y = Conv(n, wc) }");
  graph.set_constant(*graph.find_value("s"), kit::tensor_of({2, -1, 0.5F}));
  graph.set_constant(*graph.find_value("o"), kit::tensor_of({1, 0, -4}));
  const ChannelMap map(graph);
  FilterChangeCollector collector(map);
  const auto add = [&](float sign) {
    collector.add({{"w", kit::tensor_of({9, 9, 9, 9, 9, 9}, {3, 2, 1, 1})},
                   {"s", kit::tensor_of({3 * sign, 1, 2})},
                   {"o", kit::tensor_of({1, 5, 1})}});
  };
  add(1);
  add(-1);
  // 3 * 2 + 1 * 1 and -3 * 2 + 1; 1 * -1; 2 * 0.5 - 4.
  const FilterChanges changes = collector.take();
  EXPECT_THAT(changes.at(filters_of(graph, "w")),
              kit::HasSameBits(kit::tensor_of({7, -5, -1, -1, -3, -3}, {3, 2}).to(at::kDouble)));
  EXPECT_FALSE(changes.contains(filters_of(graph, "wc"))) << "no gradient was given";
}

TEST(FilterChanges, WithoutOneWeightsAndBiasDo) {
  ir::Graph graph = prune_test::named_graph_of(
      "g (float[1,2,4,4] x, float[2,2,1,1] w, float[2] b) => (float[1,2,4,4] y)"
      " { a = Conv(x, w, b) y = Relu(a) }");
  graph.set_constant(*graph.find_value("w"), kit::tensor_of({1, 2, 3, 4}, {2, 2, 1, 1}));
  graph.set_constant(*graph.find_value("b"), kit::tensor_of({5, -1}));
  const ChannelMap map(graph);
  FilterChangeCollector collector(map);
  collector.add(
      {{"w", kit::tensor_of({1, 1, 0, -1}, {2, 2, 1, 1})}, {"b", kit::tensor_of({2, 3})}});
  // 1 + 2 + 10 and -4 - 3.
  EXPECT_THAT(collector.take().at(filters_of(graph, "w")),
              kit::HasSameBits(kit::tensor_of({13, -7}, {2, 1}).to(at::kDouble)));
}

TEST(FilterChanges, GradientsMustFit) {
  const ir::Graph graph = prune_test::chain();
  const ChannelMap map(graph);
  FilterChangeCollector collector(map);
  const ir::Value* weight = map.layers().front().filters.value;
  kit::expect_user_error(
      [&] {
        collector.add({{weight->name(), kit::tensor_of({1, 9})}});
      },
      "do not have the sizes of the weight");
}

}  // namespace
}  // namespace espalier::prune
