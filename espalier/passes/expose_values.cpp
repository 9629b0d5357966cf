#include "espalier/passes/expose_values.h"

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"

namespace espalier::passes {
namespace {

std::vector<std::string> computed_values(const ir::Graph& graph) {
  std::vector<std::string> names;
  for (const ir::Node* node : graph.nodes()) {
    for (const ir::Value* output : node->outputs()) {
      if (output != nullptr) names.push_back(output->name());
    }
  }
  return names;
}

std::size_t expose_values_in(ir::Graph& graph, const std::vector<std::string>& names) {
  std::size_t changes = 0;
  for (const std::string& name : names) {
    ir::Value* value = graph.find_value(name);
    if (value == nullptr || value->producer() == nullptr) {
      throw base::UserError({.what = "cannot make a value a graph output",
                             .where = fmt::format("graph '{}'", graph.name),
                             .got = fmt::format("'{}'", name),
                             .expected = "the output of a node",
                             .hint = base::suggest_name(name, computed_values(graph))});
    }
    if (value->is_output()) continue;
    graph.add_output(*value);
    ++changes;
  }
  return changes;
}

}  // namespace

Pass expose_values(std::span<const std::string> names) {
  return {.name = "expose_values",
          .apply = [names = std::vector<std::string>(names.begin(), names.end())](
                       ir::Graph& graph) { return expose_values_in(graph, names); }};
}

}  // namespace espalier::passes
