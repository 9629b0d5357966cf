#include "tests/passes/rewrite_check.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/onnx/text.h"
#include "tests/kit/graph_text.h"

namespace espalier::passes_test {
namespace {

void make_constant(ir::Graph& graph, ir::Value& input, std::uint64_t seed) {
  const std::string name = input.name();
  const auto sizes = tensor::known_sizes(*input.type().shape);
  ASSERT_TRUE(sizes) << "constant '" << name << "' has no known shape";
  const bool positive = name.find("variance") != std::string::npos;
  const Tensor constant =
      kit::random_tensor(*sizes, seed, positive ? kit::Draw{.low = 0.5, .high = 2.0} : kit::Draw{});
  ir::Value& initializer = graph.add_initializer(graph.unique_value_name(name), constant);
  graph.replace_all_uses(input, initializer);
  graph.erase(input);
  graph.rename(initializer, name);
}

Tensor random_input(const ir::Value& input, const RunSettings& settings, std::uint64_t seed) {
  kit::Sizes sizes;
  for (const tensor::Dim& dim : *input.type().shape) {
    sizes.push_back(dim.size.value_or(settings.unknown_size));
  }
  const bool wide = settings.dtype == tensor::DType::Float64;
  return kit::random_tensor(sizes, seed, {.normal = true, .type = wide ? at::kDouble : at::kFloat});
}

}  // namespace

ir::Graph graph_of(std::string_view text, std::uint64_t seed) {
  ir::Graph graph = onnx::parse(text);
  const std::vector<ir::Value*> inputs = graph.inputs();
  for (ir::Value* input : inputs) {
    if (!input->name().starts_with("x")) make_constant(graph, *input, ++seed);
  }
  return graph;
}

std::size_t apply(const passes::Pass& pass, ir::Graph& graph) {
  return passes::run(graph, {pass}).at(0).changes;
}

std::map<std::string, Tensor> run_graph(const ir::Graph& graph, const RunSettings& settings) {
  const auto program = exec::Program::compile(
      graph, {.dtype = settings.dtype, .channels_last = false, .fuse = false});
  std::vector<Tensor> inputs;
  std::uint64_t seed = settings.seed;
  for (const ir::Value* input : graph.inputs()) {
    inputs.push_back(random_input(*input, settings, ++seed));
  }
  const std::vector<Tensor> outputs = program.run(inputs);
  std::map<std::string, Tensor> by_name;
  for (std::size_t index = 0; index < outputs.size(); ++index) {
    by_name[program.output_names().at(index)] = outputs[index];
  }
  return by_name;
}

std::vector<Tensor> run_on(const ir::Graph& graph, const std::vector<Tensor>& inputs) {
  return exec::Program::compile(graph, {.channels_last = false, .fuse = false}).run(inputs);
}

void expect_same_outputs(const ir::Graph& actual, const ir::Graph& expected,
                         const RunSettings& settings, const kit::Tolerance& tolerance) {
  const auto actual_outputs = run_graph(actual, settings);
  const auto expected_outputs = run_graph(expected, settings);
  ASSERT_EQ(actual_outputs.size(), expected_outputs.size()) << kit::to_text(actual);
  for (const auto& [name, tensor] : expected_outputs) {
    ASSERT_TRUE(actual_outputs.contains(name)) << kit::to_text(actual);
    EXPECT_THAT(actual_outputs.at(name), kit::IsCloseTo(tensor, tolerance)) << kit::to_text(actual);
  }
}

void expect_unchanged(const passes::Pass& pass, std::string_view text) {
  ir::Graph graph = graph_of(text);
  const std::string before = onnx::print(graph);
  EXPECT_EQ(apply(pass, graph), 0U) << kit::to_text(graph);
  EXPECT_EQ(onnx::print(graph), before);
}

std::string ops_of(const ir::Graph& graph) {
  std::string text;
  for (const ir::Node* node : graph.nodes()) text += (text.empty() ? "" : " ") + node->op();
  return text;
}

}  // namespace espalier::passes_test
