#include "espalier/deploy/operator_model.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "espalier/ops/facts.h"

namespace espalier::deploy {
namespace {

/// The nodes between a QuantizeLinear and the codes that it depends on.
struct Region {
  std::unordered_set<const ir::Node*> nodes;
  std::vector<const ir::Value*> codes;
};

bool reads_codes(const ir::Node& node) {
  return node.is("DequantizeLinear") && node.input(0) != nullptr &&
         !node.input(0)->is_initializer();
}

/// Walks back from `quantize`; nothing when a float value comes in from outside.
std::optional<Region> find_region(const ir::Node& quantize) {
  Region region;
  std::vector<const ir::Node*> waiting = {&quantize};
  while (!waiting.empty()) {
    const ir::Node* node = waiting.back();
    waiting.pop_back();
    if (!region.nodes.insert(node).second) continue;
    for (const ir::Value* input : node->inputs()) {
      if (input == nullptr || input->is_initializer()) continue;
      if (reads_codes(*node) && input == node->input(0)) {
        if (std::ranges::find(region.codes, input) == region.codes.end()) {
          region.codes.push_back(input);
        }
        continue;
      }
      if (input->is_input()) return std::nullopt;
      waiting.push_back(input->producer());
    }
  }
  if (region.codes.empty()) return std::nullopt;
  return region;
}

/// The node that the cut is named after: one that multiplies and adds, else the first that
/// computes.
const ir::Node* main_node(const std::vector<const ir::Node*>& nodes) {
  const ir::Node* first = nullptr;
  for (const ir::Node* node : nodes) {
    if (node->is("DequantizeLinear") || node->is("QuantizeLinear")) continue;
    const ops::OpFacts* facts = ops::find(*node);
    if (facts != nullptr && facts->cost != ops::CostRule::None) return node;
    if (first == nullptr) first = node;
  }
  return first;
}

/// Copies the values that a node reads, as they are first met.
ir::Value* copy_input(ir::Graph& graph, const ir::Value* value) {
  if (value == nullptr) return nullptr;
  if (ir::Value* present = graph.find_value(value->name())) return present;
  return &graph.add_initializer(value->name(), value->constant());
}

void copy_node(ir::Graph& graph, const ir::Node& node) {
  ir::NodeSpec spec{.op = node.op(),
                    .inputs = {},
                    .outputs = {},
                    .attributes = node.attributes(),
                    .name = node.name(),
                    .domain = node.domain()};
  for (const ir::Value* input : node.inputs()) spec.inputs.push_back(copy_input(graph, input));
  for (const ir::Value* output : node.outputs()) {
    spec.outputs.push_back(output == nullptr ? "-" : output->name());
  }
  ir::Node& copy = graph.add_node(std::move(spec));
  for (std::size_t index = 0; index < node.outputs().size(); ++index) {
    if (node.output(index) != nullptr) copy.output(index)->set_type(node.output(index)->type());
  }
}

OperatorModel cut(const ir::Graph& quantized, const Region& region, const ir::Node& quantize) {
  OperatorModel model{.output = quantize.output()->name()};
  model.graph.opsets = quantized.opsets;
  for (const ir::Value* codes : region.codes) {
    model.inputs.push_back(codes->name());
    model.graph.add_input(codes->name(), codes->type());
  }
  std::vector<const ir::Node*> ordered;
  for (const ir::Node* node : quantized.nodes()) {
    if (region.nodes.contains(node)) ordered.push_back(node);
  }
  for (const ir::Node* node : ordered) copy_node(model.graph, *node);
  model.graph.add_output(*model.graph.find_value(model.output));
  if (const ir::Node* main = main_node(ordered)) {
    model.name = main->name();
    model.op = main->op();
  }
  return model;
}

}  // namespace

std::vector<OperatorModel> cut_operators(const ir::Graph& quantized) {
  std::vector<OperatorModel> models;
  for (const ir::Node* node : quantized.nodes()) {
    if (!node->is("QuantizeLinear") || node->input(0)->is_initializer()) continue;
    const auto region = find_region(*node);
    if (!region) continue;
    OperatorModel model = cut(quantized, *region, *node);
    if (!model.name.empty()) models.push_back(std::move(model));
  }
  return models;
}

}  // namespace espalier::deploy
