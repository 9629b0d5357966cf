#include "espalier/ir/verifier.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/check.h"

namespace espalier::ir {
namespace {

using Violations = std::vector<std::string>;

using NodeSet = std::unordered_set<const Node*>;
using ValueSet = std::unordered_set<const Value*>;

/// All uses that values list, for questions that do not look through the uses of a value again.
class ListedUses {
 public:
  void add(const Value& value) {
    for (const Use& use : value.uses()) uses_.emplace_back(&value, use.node, use.index);
  }
  void sort() { std::ranges::sort(uses_); }
  [[nodiscard]] bool holds_once(const Value& value, const Node& node, std::size_t index) const {
    return std::ranges::equal_range(uses_, Entry(&value, &node, index)).size() == 1;
  }

 private:
  using Entry = std::tuple<const Value*, const Node*, std::size_t>;
  std::vector<Entry> uses_;
};

ListedUses listed_uses(const Graph& graph) {
  ListedUses uses;
  for (const Value* input : graph.inputs()) uses.add(*input);
  for (const Value* constant : graph.initializers()) uses.add(*constant);
  for (const Node* node : graph.nodes()) {
    for (const Value* output : node->outputs()) {
      if (output != nullptr) uses.add(*output);
    }
  }
  uses.sort();
  return uses;
}

void check_inputs(const Node& node, const ValueSet& available, const ListedUses& uses,
                  Violations& violations) {
  for (std::size_t index = 0; index < node.inputs().size(); ++index) {
    const Value* input = node.input(index);
    if (input == nullptr) continue;
    if (!available.contains(input)) {
      violations.push_back(
          fmt::format("{}: input {} is not computed before it", node.label(), index));
      continue;
    }
    if (!uses.holds_once(*input, node, index)) {
      violations.push_back(fmt::format("{}: input {} ('{}') does not list the node as its use",
                                       node.label(), index, input->name()));
    }
  }
}

void check_outputs(const Node& node, Violations& violations) {
  for (std::size_t index = 0; index < node.outputs().size(); ++index) {
    const Value* output = node.output(index);
    if (output == nullptr) continue;
    if (output->producer() != &node || output->output_index() != index) {
      violations.push_back(fmt::format("{}: output {} ('{}') names another producer", node.label(),
                                       index, output->name()));
    }
  }
}

void check_value(const Graph& graph, const Value& value, const NodeSet& nodes,
                 Violations& violations) {
  for (const Use& use : value.uses()) {
    if (!nodes.contains(use.node)) {
      violations.push_back(
          fmt::format("value '{}' lists a use by a node that is not in the graph", value.name()));
    } else if (use.node->input(use.index) != &value) {
      violations.push_back(fmt::format("value '{}' lists a use by {} that is not one", value.name(),
                                       use.node->label()));
    }
  }
  if (graph.find_value(value.name()) != &value) {
    violations.push_back(fmt::format("value '{}' is not found by its name", value.name()));
  }
}

void check_output_marks(const Graph& graph, const ValueSet& values, Violations& violations) {
  const ValueSet outputs(graph.outputs().begin(), graph.outputs().end());
  for (const Value* value : values) {
    if (outputs.contains(value) == value->is_output()) continue;
    violations.push_back(fmt::format("value '{}' is wrongly marked as output", value->name()));
  }
}

void check_initializer(const Value& value, Violations& violations) {
  const Tensor& constant = value.constant();
  if (!constant.defined() ||
      tensor::from_scalar_type(constant.scalar_type()) != value.type().dtype ||
      tensor::make_shape(constant.sizes().vec()) != value.type().shape) {
    violations.push_back(
        fmt::format("initializer '{}' differs from its declared type", value.name()));
  }
}

}  // namespace

std::vector<std::string> verify(const Graph& graph) {
  Violations violations;
  const ListedUses uses = listed_uses(graph);
  ValueSet available(graph.inputs().begin(), graph.inputs().end());
  for (const Value* constant : graph.initializers()) {
    available.insert(constant);
    check_initializer(*constant, violations);
  }
  const std::vector<const Node*> nodes = graph.nodes();
  const NodeSet known(nodes.begin(), nodes.end());
  for (const Node* node : nodes) {
    check_inputs(*node, available, uses, violations);
    check_outputs(*node, violations);
    if (graph.find_node(node->name()) != node) {
      violations.push_back(fmt::format("{} is not found by its name", node->label()));
    }
    for (const Value* output : node->outputs()) {
      if (output != nullptr) available.insert(output);
    }
  }
  for (std::size_t index = 0; index < graph.outputs().size(); ++index) {
    if (available.contains(graph.outputs()[index])) continue;
    violations.push_back(fmt::format("graph output {} ('{}') is not a value of the graph", index,
                                     graph.outputs()[index]->name()));
  }
  for (const Value* value : available) check_value(graph, *value, known, violations);
  check_output_marks(graph, available, violations);
  if (graph.outputs().empty()) violations.emplace_back("the graph has no output");
  std::ranges::sort(violations);
  return violations;
}

void verify_or_throw(const Graph& graph, std::string_view after) {
  const Violations violations = verify(graph);
  base::invariant(violations.empty(), "the graph '{}' is broken after {}: {}", graph.name, after,
                  fmt::join(violations, "; "));
}

}  // namespace espalier::ir
