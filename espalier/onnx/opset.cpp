#include "espalier/onnx/opset.h"

#include <algorithm>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/onnx/adapters/adapter.h"
#include "espalier/onnx/attribute_codec.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/schema.h"
#include "espalier/onnx/subgraph.h"

namespace espalier::onnx {
namespace {

void apply(ir::Graph& graph, std::span<const Adapter> adapters, std::int64_t opset) {
  for (ir::Node* node : graph.nodes()) {
    const auto adapter = std::ranges::find_if(
        adapters, [&](const Adapter& row) { return row.opset == opset && node->is(row.op); });
    if (adapter != adapters.end()) adapter->apply(graph, *node);
  }
}

/// Nodes inside subgraphs are carried, not converted: none of them may change its form.
void refuse_inner_changes(const ir::Node& node, std::span<const Adapter> adapters, std::int64_t low,
                          std::int64_t high) {
  for (const auto& [name, attribute] : node.attributes()) {
    const auto* opaque = std::get_if<ir::OpaqueAttribute>(&attribute);
    if (opaque == nullptr) continue;
    for_each_inner_node(parse_opaque(*opaque), [&](const ::onnx::NodeProto& inner) {
      if (!inner.domain().empty()) return;
      const bool changes = std::ranges::any_of(adapters, [&](const Adapter& row) {
        return row.op == inner.op_type() && row.opset > low && row.opset <= high;
      });
      const bool too_new =
          since_version(inner.op_type(), high) != 0 && since_version(inner.op_type(), low) == 0;
      if (!changes && !too_new) return;
      throw base::UnsupportedError(
          {.what = "cannot convert the model to another opset",
           .where = node.label(),
           .got = fmt::format("{} inside its subgraph, which differs between opsets {} and {}",
                              inner.op_type(), low, high),
           .hint = "export the model again with the opset that you need"});
    });
  }
}

/// The first opset whose schema the node satisfies as it is.
void require_expressible(const ir::Node& node, std::int64_t target) {
  const auto violation = schema_violation(node, target, CheckTypes::Yes);
  if (!violation) return;
  for (std::int64_t opset = target + 1; opset <= kNewestOpset; ++opset) {
    if (!schema_violation(node, opset, CheckTypes::Yes)) refuse_below(node, opset, *violation);
  }
  throw base::UnsupportedError({.what = fmt::format("cannot write the model at opset {}", target),
                                .where = node.label(),
                                .got = *violation});
}

void check_target(std::int64_t target) {
  if (target >= kOldestOpset && target <= kNewestOpset) return;
  throw base::UnsupportedError({.what = "cannot write the model",
                                .got = fmt::format("opset {}", target),
                                .expected = fmt::format("{} to {}", kOldestOpset, kNewestOpset)});
}

}  // namespace

void convert_opset(ir::Graph& graph, std::int64_t target) {
  check_target(target);
  graph.opsets.try_emplace("", kDefaultOpset);
  const std::int64_t from = graph.opsets[""];
  const bool up = target > from;
  const auto adapters = up ? upgrades() : downgrades();
  for (const ir::Node* node : graph.nodes()) {
    refuse_inner_changes(*node, adapters, std::min(from, target), std::max(from, target));
  }
  for (std::int64_t opset = from; up && opset < std::min<std::int64_t>(target, 7); ++opset) {
    apply(graph, early_upgrades(), opset + 1);
  }
  for (std::int64_t opset = from; opset != target; opset += up ? 1 : -1) {
    apply(graph, adapters, up ? opset + 1 : opset);
  }
  for (ir::Node* node : graph.nodes()) {
    if (!node->domain().empty()) continue;
    if (!up) drop_new_defaults(*node, from, target);
    require_expressible(*node, target);
  }
  graph.opsets[""] = target;
}

}  // namespace espalier::onnx
