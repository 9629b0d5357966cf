#include "espalier/analysis/subgraph.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "espalier/analysis/reach.h"
#include "espalier/base/check.h"
#include "espalier/base/name_match.h"

namespace espalier::analysis {
namespace {

using Values = std::vector<const ir::Value*>;

std::vector<std::string> value_names(const ir::Graph& graph) {
  std::vector<std::string> names;
  for (const ir::Value* input : graph.inputs()) names.push_back(input->name());
  for (const ir::Node* node : graph.nodes()) {
    for (const ir::Value* output : node->outputs()) {
      if (output != nullptr) names.push_back(output->name());
    }
  }
  return names;
}

Values find_values(const ir::Graph& graph, std::span<const std::string> names,
                   std::string_view role) {
  Values values;
  for (const std::string& name : names) {
    const ir::Value* value = graph.find_value(name);
    if (value == nullptr) {
      throw base::UserError({.what = "cannot cut a subgraph out",
                             .where = fmt::format("graph '{}'", graph.name),
                             .got = fmt::format("unknown {} '{}'", role, name),
                             .hint = base::suggest_name(name, value_names(graph))});
    }
    base::check(std::ranges::find(values, value) == values.end(),
                "cannot cut a subgraph out: {} '{}' is listed twice", role, name);
    values.push_back(value);
  }
  return values;
}

/// Nodes that `outputs` need when the values `inputs` are given.
std::unordered_set<const ir::Node*> needed_nodes(const Values& inputs, const Values& outputs) {
  const std::unordered_set<const ir::Value*> given(inputs.begin(), inputs.end());
  std::unordered_set<const ir::Node*> needed;
  Values open = outputs;
  while (!open.empty()) {
    const ir::Value* value = open.back();
    open.pop_back();
    if (value == nullptr || given.contains(value) || value->is_initializer()) continue;
    if (value->is_input()) {
      throw base::UserError(
          {.what = "cannot cut a subgraph out",
           .got = fmt::format("outputs that need the graph input '{}'", value->name()),
           .expected = "inputs that cut it off, or the input itself"});
    }
    if (!needed.insert(value->producer()).second) continue;
    open.insert(open.end(), value->producer()->inputs().begin(), value->producer()->inputs().end());
  }
  return needed;
}

/// Builds the new graph value by value.
class Copy {
 public:
  explicit Copy(const ir::Graph& source) {
    graph_.name = source.name;
    graph_.producer = source.producer;
    graph_.opsets = source.opsets;
  }

  void add_input(const ir::Value& value) {
    images_[&value] = &graph_.add_input(value.name(), value.type());
  }

  void add_node(const ir::Node& node) {
    ir::NodeSpec spec{.op = node.op(),
                      .inputs = {},
                      .outputs = {},
                      .attributes = node.attributes(),
                      .name = node.name(),
                      .domain = node.domain()};
    for (const ir::Value* input : node.inputs()) spec.inputs.push_back(image(input));
    for (const ir::Value* output : node.outputs()) {
      spec.outputs.emplace_back(output == nullptr || images_.contains(output) ? "-"
                                                                              : output->name());
    }
    const ir::Node& copy = graph_.add_node(std::move(spec));
    for (std::size_t index = 0; index < node.outputs().size(); ++index) {
      if (copy.output(index) == nullptr) continue;
      copy.output(index)->set_type(node.output(index)->type());
      images_[node.output(index)] = copy.output(index);
    }
  }

  ir::Value* image(const ir::Value* value) {
    if (value == nullptr) return nullptr;
    const auto place = images_.find(value);
    if (place != images_.end()) return place->second;
    ir::Value& copy = graph_.add_initializer(value->name(), value->constant());
    images_[value] = &copy;
    return &copy;
  }

  ir::Graph& graph() { return graph_; }

 private:
  ir::Graph graph_;
  std::unordered_map<const ir::Value*, ir::Value*> images_;
};

/// True when the value depends on initializers only.
bool is_constant(const ir::Value& value) {
  if (value.is_input()) return false;
  const std::array<const ir::Value*, 1> values{&value};
  return std::ranges::none_of(upstream(values), [](const ir::Node* node) {
    return std::ranges::any_of(node->inputs(), [](const ir::Value* input) {
      return input != nullptr && input->is_input();
    });
  });
}

}  // namespace

ir::Graph cut_out_subgraph(const ir::Graph& graph, std::span<const std::string> inputs,
                           std::span<const std::string> outputs) {
  base::check(!outputs.empty(), "cannot cut a subgraph out: no outputs are given");
  const Values from = find_values(graph, inputs, "input");
  const Values to = find_values(graph, outputs, "output");
  for (const ir::Value* value : to) {
    base::check(std::ranges::find(from, value) == from.end() && value->producer() != nullptr,
                "cannot cut a subgraph out: output '{}' is not computed by it", value->name());
  }
  const auto needed = needed_nodes(from, to);
  Copy copy(graph);
  for (const ir::Value* value : from) copy.add_input(*value);
  for (const ir::Node* node : graph.nodes()) {
    if (needed.contains(node)) copy.add_node(*node);
  }
  for (const ir::Value* value : to) copy.graph().add_output(*copy.image(value));
  return std::move(copy.graph());
}

ir::Graph cut_out_node(const ir::Graph& graph, const std::string& name) {
  const ir::Node* node = graph.find_node(name);
  base::check(node != nullptr, "cannot cut a node out: graph '{}' has no node '{}'", graph.name,
              name);
  std::vector<std::string> inputs;
  for (const ir::Value* input : node->inputs()) {
    if (input == nullptr || is_constant(*input)) continue;
    if (std::ranges::find(inputs, input->name()) == inputs.end()) inputs.push_back(input->name());
  }
  std::vector<std::string> outputs;
  for (const ir::Value* output : node->outputs()) {
    if (output == nullptr || (output->uses().empty() && !output->is_output())) continue;
    outputs.push_back(output->name());
  }
  return cut_out_subgraph(graph, inputs, outputs);
}

}  // namespace espalier::analysis
