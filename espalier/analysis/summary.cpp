#include "espalier/analysis/summary.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "espalier/analysis/cost.h"
#include "espalier/ops/facts.h"

namespace espalier::analysis {
namespace {

std::vector<PortSummary> ports(const std::vector<ir::Value*>& values) {
  std::vector<PortSummary> list;
  for (const ir::Value* value : values) {
    list.push_back({.name = value->name(), .type = describe_type(value->type())});
  }
  return list;
}

std::string full_op_name(const ir::Node& node) {
  return node.domain().empty() ? node.op() : fmt::format("{}.{}", node.domain(), node.op());
}

std::vector<OpSummary> op_table(const ir::Graph& graph, const CostTable& costs) {
  std::map<std::string, OpSummary> by_name;
  const auto nodes = graph.nodes();
  for (std::size_t index = 0; index < nodes.size(); ++index) {
    const std::string name = full_op_name(*nodes[index]);
    OpSummary& row = by_name[name];
    row.op = name;
    ++row.count;
    row.macs += costs.nodes[index].macs.value_or(0);
    row.parameters += costs.nodes[index].parameters;
  }
  std::vector<OpSummary> rows;
  for (auto& [name, row] : by_name) rows.push_back(std::move(row));
  std::ranges::stable_sort(rows, std::greater<>{}, &OpSummary::count);
  return rows;
}

}  // namespace

std::string describe_type(const ir::TypeInfo& type) {
  return fmt::format("{} {}", tensor::to_string(type.dtype),
                     type.shape ? tensor::to_string(*type.shape) : "?");
}

Summary summarize(const ir::Graph& graph) {
  const CostTable costs = cost_table(graph);
  Summary summary{.name = graph.name,
                  .producer = graph.producer,
                  .opsets = graph.opsets,
                  .inputs = ports(graph.inputs()),
                  .outputs = ports(graph.outputs()),
                  .ops = op_table(graph, costs),
                  .nodes = static_cast<std::int64_t>(graph.num_nodes()),
                  .macs = costs.macs,
                  .uncounted_nodes = costs.uncounted_nodes,
                  .parameters = costs.parameters,
                  .initializer_bytes = costs.initializer_bytes,
                  .memory = estimate_memory(graph),
                  .opaque_nodes = {}};
  for (const ir::Node* node : graph.nodes()) {
    if (ops::kind_of(*node) == ops::OpKind::Opaque) summary.opaque_nodes.push_back(node->label());
  }
  return summary;
}

}  // namespace espalier::analysis
