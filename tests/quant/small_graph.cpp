#include "tests/quant/small_graph.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "espalier/onnx/text.h"
#include "espalier/quant/planner.h"
#include "espalier/quant/target.h"
#include "tests/kit/tensors.h"

namespace espalier::quant_test {
namespace {

void make_constant(ir::Graph& graph, ir::Value& input, std::uint64_t seed) {
  const std::string name = input.name();
  const auto sizes = tensor::known_sizes(*input.type().shape);
  ASSERT_TRUE(sizes) << "constant '" << name << "' has no known shape";
  ir::Value& initializer =
      graph.add_initializer(graph.unique_value_name(name), kit::random_tensor(*sizes, seed));
  graph.replace_all_uses(input, initializer);
  graph.erase(input);
  graph.rename(initializer, name);
}

}  // namespace

ir::Graph graph_of(std::string_view text, std::uint64_t seed) {
  ir::Graph graph = onnx::parse(text);
  const std::vector<ir::Value*> inputs = graph.inputs();
  for (ir::Value* input : inputs) {
    if (!input->name().starts_with("x")) make_constant(graph, *input, ++seed);
  }
  onnx::infer_shapes(graph);
  return graph;
}

quant::BatchSource source_of(std::vector<Tensor> data, std::int64_t size) {
  return [data = std::move(data), size, place = std::int64_t{0}]() mutable {
    const std::int64_t count = std::min(size, data.front().size(0) - place);
    std::vector<Tensor> batch;
    if (count <= 0) return batch;
    for (const Tensor& tensor : data) batch.push_back(tensor.narrow(0, place, count));
    place += count;
    return batch;
  };
}

quant::ValueStatistics statistics_of(const std::vector<float>& values) {
  quant::ValueStatistics statistics;
  statistics.samples = 1;
  statistics.histogram.add(values);
  statistics.sum_of_minima = static_cast<double>(statistics.histogram.min());
  statistics.sum_of_maxima = static_cast<double>(statistics.histogram.max());
  statistics.sum_of_magnitudes = std::max(-statistics.sum_of_minima, statistics.sum_of_maxima);
  return statistics;
}

quant::Statistics calibrated(const ir::Graph& graph, std::string_view target,
                             std::int64_t samples) {
  std::vector<Tensor> inputs;
  for (const ir::Value* input : graph.inputs()) {
    kit::Sizes sizes{samples};
    for (std::size_t axis = 1; axis < input->type().shape->size(); ++axis) {
      sizes.push_back(*(*input->type().shape)[axis].size);
    }
    inputs.push_back(kit::random_tensor(sizes, 11 + inputs.size(), {.normal = true}));
  }
  const auto values = quant::values_to_observe(graph, {.target = std::string(target)});
  return quant::collect(graph, values, source_of(inputs, samples), {.micro_batch = 4});
}

std::string placed(std::string_view text, std::string_view target,
                   const quant::PlacementOptions& options) {
  const ir::Graph graph = graph_of(text);
  const quant::Placement placement =
      quant::place_quantizers(graph, quant::find_target(target), options);
  std::vector<std::string> groups;
  for (const quant::ValueGroup& group : placement.groups) {
    groups.push_back(fmt::format("{{{}}}", fmt::join(group.values, " ")));
  }
  std::vector<std::string> edges;
  for (const quant::EdgeKey& edge : placement.edges) {
    edges.push_back(fmt::format("{}:{}", edge.node.empty() ? "output" : edge.node, edge.index));
  }
  std::vector<std::string> nodes;
  for (const quant::FloatNode& node : placement.float_nodes) nodes.push_back(node.node);
  return fmt::format("{} | {} | {}", fmt::join(groups, " "), fmt::join(edges, " "),
                     fmt::join(nodes, " "));
}

}  // namespace espalier::quant_test
