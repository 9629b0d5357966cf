#include "espalier/prune/relations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Relations, SizesComeFromTheShapes) {
  const ir::Graph graph =
      prune_test::graph_of("g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }");
  const ir::Value* x = graph.find_value("x");
  EXPECT_EQ(rank_of(x), 2U);
  EXPECT_EQ(rank_of(nullptr), std::nullopt);
  EXPECT_EQ(size_of({x, 0}), kUnknownSize);
  EXPECT_EQ(size_of({x, 1}), 3);
  EXPECT_EQ(size_of({x, 2}), kUnknownSize);
}

TEST(Relations, AxesLongerThanAnyChannelAxisAreUnknown) {
  const ir::Graph graph =
      prune_test::graph_of("g (float[1048577] x) => (float[1048577] y) { y = Relu(x) }");
  EXPECT_EQ(size_of({graph.find_value("x"), 0}), kUnknownSize);
}

TEST(Relations, KnownAgainstUnknownSizesAreFixed) {
  const ir::Graph graph =
      prune_test::graph_of("g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }");
  Relations relations;
  const ir::Node& node = *graph.nodes().front();
  const Axis known{graph.find_value("x"), 1};
  const Axis unknown{graph.find_value("y"), 0};
  relations.same(known, unknown, node);
  EXPECT_THAT(relations.same_axes(), IsEmpty());
  ASSERT_THAT(relations.fixed(), SizeIs(1));
  EXPECT_EQ(relations.fixed()[0].axis, known);
  relations.same(unknown, {graph.find_value("x"), 0}, node);
  EXPECT_THAT(relations.same_axes(), IsEmpty());
  EXPECT_THAT(relations.fixed(), SizeIs(1));
}

TEST(Relations, EqualReasonsAreStoredOnce) {
  const ir::Graph graph =
      prune_test::graph_of("g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }");
  Relations relations;
  relations.veto(*graph.nodes().front(), "a reason");
  EXPECT_THAT(relations.vetoes(), SizeIs(1));
  EXPECT_THAT(relations.fixed(), SizeIs(4));
  EXPECT_THAT(relations.vetoes()[0].where, HasSubstr("(Relu)"));
}

TEST(Relations, InputsAndOutputsOfTheGraphStay) {
  const ir::Graph graph = prune_test::chain();
  const Relations relations = find_relations(graph);
  EXPECT_THAT(relations.layers(), SizeIs(3));
  EXPECT_THAT(relations.vetoes(),
              testing::Contains(Veto{.where = "input 'x' of the graph",
                                     .reason = "its shape is what callers give"}));
  EXPECT_THAT(relations.vetoes(),
              testing::Contains(Veto{.where = "output 'y' of the graph",
                                     .reason = "its shape is what callers expect"}));
}

}  // namespace
}  // namespace espalier::prune
