#include "espalier/analysis/model_id.h"

#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "tests/analysis/diamond.h"
#include "tests/kit/tensors.h"

namespace espalier::analysis {
namespace {

TEST(ModelId, IsTheSameForCopiesAndFileFacts) {
  ir::Graph graph = analysis_test::diamond();
  const std::string id = model_id(graph);
  EXPECT_EQ(id.size(), 16U);
  EXPECT_EQ(model_id(graph.clone()), id);
  graph.producer = "somebody";
  graph.documentation = "text";
  graph.metadata["key"] = "value";
  graph.find_value("left")->set_type({});
  EXPECT_EQ(model_id(graph), id);
}

TEST(ModelId, DiffersForEveryChangeOfContent) {
  const std::vector<std::function<void(ir::Graph&)>> changes{
      [](ir::Graph&) {},
      [](ir::Graph& graph) {
        graph.set_constant(*graph.find_value("w"), kit::tensor_of({1, 2, 3, 5}, {2, 2}));
      },
      [](ir::Graph& graph) {
        graph.set_constant(*graph.find_value("w"), kit::tensor_of({1, 2, 3, 4}, {4, 1}));
      },
      [](ir::Graph& graph) { graph.set_op(*graph.find_node("stem"), "Neg"); },
      [](ir::Graph& graph) { graph.find_node("right")->set("alpha", 0.5F); },
      [](ir::Graph& graph) { graph.find_node("right")->set("alpha", std::int64_t{1}); },
      [](ir::Graph& graph) {
        graph.find_node("right")->set("alpha", ir::Ints{1, 2});
      },
      [](ir::Graph& graph) { graph.find_node("right")->set("alpha", std::string("1,2")); },
      [](ir::Graph& graph) {
        graph.find_node("right")->set("alpha", ir::Strings{"1", "2"});
      },
      [](ir::Graph& graph) {
        graph.find_node("right")->set("alpha", ir::Floats{1, 2});
      },
      [](ir::Graph& graph) { graph.find_node("right")->set("alpha", kit::tensor_of({1})); },
      [](ir::Graph& graph) {
        graph.find_node("right")->set("alpha", ir::OpaqueAttribute{.bytes = "1"});
      },
      [](ir::Graph& graph) { graph.rename(*graph.find_node("left"), "other"); },
      [](ir::Graph& graph) { graph.rename(*graph.find_value("left"), "other"); },
      [](ir::Graph& graph) {
        graph.set_input(*graph.find_node("join"), 1, graph.find_value("left"));
      },
      [](ir::Graph& graph) { graph.add_output(*graph.find_value("left")); },
      [](ir::Graph& graph) { graph.opsets[""] = 18; },
  };
  std::set<std::string> ids;
  for (const auto& change : changes) {
    ir::Graph graph = analysis_test::diamond();
    change(graph);
    ids.insert(model_id(graph));
  }
  EXPECT_EQ(ids.size(), changes.size());
}

}  // namespace
}  // namespace espalier::analysis
