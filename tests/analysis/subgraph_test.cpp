#include "espalier/analysis/subgraph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/ir/verifier.h"
#include "tests/analysis/diamond.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/kit/tensors.h"

namespace espalier::analysis {
namespace {

using Names = std::vector<std::string>;

TEST(Subgraph, CutsOutWhatOutputsNeed) {
  const ir::Graph graph = analysis_test::diamond();
  const ir::Graph part = cut_out_subgraph(graph, Names{"stem"}, Names{"right"});
  EXPECT_EQ(kit::to_text(part),
            "inputs stem\n"
            "right = Gemm(stem, w) [right]\n"
            "outputs right\n");
  EXPECT_TRUE(ir::verify(part).empty());
  EXPECT_EQ(part.initializers().size(), 1U);
  EXPECT_TRUE(part.find_value("w")->constant().is_same(graph.find_value("w")->constant()));
  EXPECT_EQ(part.find_value("stem")->type(), graph.find_value("stem")->type());
  EXPECT_EQ(part.opsets, graph.opsets);
}

TEST(Subgraph, TakesSeveralValuesAndInitializersAsInputs) {
  const ir::Graph graph = analysis_test::diamond();
  const ir::Graph part =
      cut_out_subgraph(graph, Names{"w", "stem", "left"}, Names{"join", "right"});
  EXPECT_EQ(kit::to_text(part),
            "inputs w, stem, left\n"
            "right = Gemm(stem, w) [right]\n"
            "join = Add(left, right) [join]\n"
            "outputs join, right\n");
  EXPECT_TRUE(part.initializers().empty());
  EXPECT_TRUE(ir::verify(part).empty());
}

TEST(Subgraph, CutsOutOneNode) {
  const ir::Graph graph = analysis_test::diamond();
  EXPECT_EQ(kit::to_text(cut_out_node(graph, "right")),
            "inputs stem\nright = Gemm(stem, w) [right]\noutputs right\n");
  EXPECT_EQ(kit::to_text(cut_out_node(graph, "join")),
            "inputs left, right\njoin = Add(left, right) [join]\noutputs join\n");
}

TEST(Subgraph, KeepsWhatComputesAWeight) {
  ir::Graph graph = analysis_test::diamond();
  ir::Node& gemm = *graph.find_node("right");
  ir::Node& scale = graph.insert_before(
      gemm, {.op = "Neg", .inputs = {gemm.input(1)}, .outputs = {"scaled"}, .name = "scale"});
  graph.set_input(gemm, 1, scale.output());
  EXPECT_EQ(kit::to_text(cut_out_node(graph, "right")),
            "inputs stem\nscaled = Neg(w) [scale]\nright = Gemm(stem, scaled) [right]\n"
            "outputs right\n");
}

TEST(Subgraph, RefusesBadRequests) {
  const ir::Graph graph = analysis_test::diamond();
  const std::string text =
      kit::expect_user_error([&] { (void)cut_out_subgraph(graph, Names{"stom"}, Names{"join"}); },
                             "cannot cut a subgraph out");
  EXPECT_THAT(text, testing::HasSubstr("got unknown input 'stom'"));
  EXPECT_THAT(text, testing::HasSubstr("did you mean 'stem'"));
  kit::expect_user_error([&] { (void)cut_out_subgraph(graph, Names{"x"}, Names{"jion"}); },
                         "unknown output 'jion'");
  kit::expect_user_error([&] { (void)cut_out_subgraph(graph, Names{"left"}, Names{"join"}); },
                         "got outputs that need the graph input 'x'");
  kit::expect_user_error(
      [&] {
        (void)cut_out_subgraph(graph, Names{"x", "x"}, Names{"join"});
      },
      "input 'x' is listed twice");
  kit::expect_user_error([&] { (void)cut_out_subgraph(graph, Names{"x"}, Names{"x"}); },
                         "output 'x' is not computed by it");
  kit::expect_user_error([&] { (void)cut_out_subgraph(graph, Names{"x"}, Names{}); },
                         "no outputs are given");
  kit::expect_user_error([&] { (void)cut_out_node(graph, "nobody"); }, "has no node 'nobody'");
}

}  // namespace
}  // namespace espalier::analysis
