#include "espalier/deploy/modules/covered_nodes.h"

#include <gmock/gmock.h>

#include "tests/deploy/small_models.h"

namespace espalier::deploy {
namespace {

using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

const ir::Value* output_of(const ir::Graph& graph, std::string_view node) {
  return graph.find_node(node)->output();
}

TEST(CoveredNodes, EndsAtValuesThatOtherLayersGive) {
  const ir::Graph graph = float_net();
  const std::vector<const ir::Value*> outputs = {output_of(graph, "relu2")};
  const std::unordered_set<const ir::Value*> kept = {output_of(graph, "relu1"), outputs[0]};
  EXPECT_THAT(covered_nodes(outputs, kept), UnorderedElementsAre("conv2", "relu2"));
}

TEST(CoveredNodes, EndsAtTheQuantizerBefore) {
  const ir::Graph graph = quantized_net();
  const std::vector<const ir::Value*> outputs = {output_of(graph, "q_second")};
  const auto covered = covered_nodes(outputs, {});
  EXPECT_THAT(covered, IsSupersetOf({"q_second", "relu2", "conv2", "dq_first"}));
  EXPECT_THAT(covered, Not(::testing::Contains("conv1")));
}

TEST(CoveredNodes, AGraphInputIsMadeByNoNode) {
  const ir::Graph graph = float_net();
  const std::vector<const ir::Value*> outputs = {graph.inputs()[0]};
  EXPECT_THAT(covered_nodes(outputs, {}), IsEmpty());
}

}  // namespace
}  // namespace espalier::deploy
