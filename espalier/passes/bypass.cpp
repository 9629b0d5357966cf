#include "espalier/passes/bypass.h"

namespace espalier::passes {
namespace {

bool is_live(const ir::Value* value) {
  return value != nullptr && (!value->uses().empty() || value->is_output());
}

}  // namespace

bool can_bypass(const ir::Node& node, const ir::Value& replacement) {
  const ir::Value* output = node.output();
  if (output == nullptr || output == &replacement) return false;
  for (std::size_t index = 1; index < node.outputs().size(); ++index) {
    if (is_live(node.output(index))) return false;
  }
  if (!output->is_output()) return true;
  return replacement.kind() == ir::Value::Kind::NodeOutput && !replacement.is_output();
}

bool bypass(ir::Graph& graph, ir::Node& node, ir::Value& replacement) {
  if (!can_bypass(node, replacement)) return false;
  ir::Value& output = *node.output();
  const bool takes_name = output.is_output();
  const std::string name = output.name();
  if (!replacement.type().shape && output.type().shape) replacement.set_type(output.type());
  graph.replace_all_uses(output, replacement);
  graph.erase(node);
  if (takes_name) graph.rename(replacement, name);
  return true;
}

}  // namespace espalier::passes
