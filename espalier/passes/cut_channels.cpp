#include "espalier/passes/cut_channels.h"

#include "espalier/ir/verifier.h"
#include "espalier/onnx/shapes.h"
#include "espalier/passes/cut_attributes.h"

namespace espalier::passes {

prune::CutMap cut_channels(ir::Graph& graph, const prune::PrunePlan& plan,
                           std::optional<prune::CouplingChoices> earlier) {
  const prune::ChannelMap map(graph, std::move(earlier));
  return cut_channels(graph, prune::resolve(plan, map, graph));
}

prune::CutMap cut_channels(ir::Graph& graph, const prune::Removal& removal) {
  prune::CutMap cuts = prune::cut_map_of(removal, graph);
  for (ir::Node* node : graph.nodes()) cut_attributes(graph, *node, removal);
  for (const auto& [name, axes] : cuts) {
    ir::Value& initializer = *graph.find_value(name);
    graph.set_constant(initializer, prune::cut_tensor(initializer.constant(), axes, name));
  }
  graph.erase_dead();
  onnx::infer_shapes(graph);
  return cuts;
}

}  // namespace espalier::passes
