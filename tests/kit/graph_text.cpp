#include "tests/kit/graph_text.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace espalier::kit {
namespace {

std::string names_of(const std::vector<ir::Value*>& values) {
  std::vector<std::string> names;
  names.reserve(values.size());
  for (const ir::Value* value : values) names.push_back(value == nullptr ? "-" : value->name());
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string to_text(const ir::Graph& graph) {
  std::string text = fmt::format("inputs {}\n", names_of(graph.inputs()));
  for (const ir::Node* node : graph.nodes()) {
    text += fmt::format("{} = {}({}) [{}]\n", names_of(node->outputs()), node->op(),
                        names_of(node->inputs()), node->name());
  }
  return text + fmt::format("outputs {}\n", names_of(graph.outputs()));
}

}  // namespace espalier::kit
