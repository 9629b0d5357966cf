#include "tests/prune/ties.h"

#include <map>

#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "espalier/onnx/text.h"
#include "espalier/prune/channel_map.h"
#include "tests/kit/tensors.h"

namespace espalier::prune_test {

ir::Graph graph_of(std::string_view text) {
  ir::Graph graph = onnx::parse(text);
  const std::vector<ir::Value*> inputs = graph.inputs();
  std::uint64_t seed = 0;
  for (ir::Value* input : inputs) {
    if (input->name().starts_with("x")) continue;
    const std::string name = input->name();
    const Tensor constant =
        kit::random_tensor(*tensor::known_sizes(*input->type().shape), ++seed, {});
    ir::Value& initializer = graph.add_initializer(graph.unique_value_name(name), constant);
    graph.replace_all_uses(*input, initializer);
    graph.erase(*input);
    graph.rename(initializer, name);
  }
  onnx::infer_shapes(graph);
  return graph;
}

ir::Graph named_graph_of(std::string_view text) {
  ir::Graph graph = graph_of(text);
  for (ir::Node* node : graph.nodes()) graph.rename(*node, node->output(0)->name());
  return graph;
}

ir::Graph chain() {
  return named_graph_of(
      "chain (float[1,3,8,8] x, float[8,3,3,3] w1, float[8] b1, float[6,8,1,1] w2,"
      " float[5,6] w3, float[5] b3) => (float[1,5] y) {"
      " c1 = Conv<pads=[1,1,1,1]>(x, w1, b1) r1 = Relu(c1)"
      " c2 = Conv(r1, w2) r2 = Relu(c2)"
      " p = GlobalAveragePool(r2) f = Flatten(p) y = Gemm<transB=1>(f, w3, b3) }");
}

std::string ties(const ir::Graph& graph,
                 const std::vector<std::pair<std::string, std::size_t>>& axes) {
  const prune::ChannelMap map(graph);
  std::map<prune::ChannelId, std::size_t> numbers;
  std::string text;
  for (const auto& [name, axis] : axes) {
    if (!text.empty()) text += " | ";
    std::string separator;
    for (const prune::ChannelId channel : map.along({graph.find_value(name), axis})) {
      text += separator + std::to_string(numbers.emplace(channel, numbers.size()).first->second);
      separator = " ";
    }
  }
  return text;
}

std::string vetoes(const ir::Graph& graph, const std::string& value, std::size_t axis) {
  const prune::ChannelMap map(graph);
  const auto channels = map.along({graph.find_value(value), axis});
  std::string text;
  if (channels.empty()) return text;
  EXPECT_EQ(map.is_fixed(channels[0]), !map.vetoes_of(channels[0]).empty());
  for (const prune::Veto& veto : map.vetoes_of(channels[0])) {
    if (veto.where.ends_with("of the graph")) continue;
    text += veto.where + ": " + veto.reason + "\n";
  }
  return text;
}

}  // namespace espalier::prune_test
