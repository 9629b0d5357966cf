#include "espalier/onnx/subgraph.h"

#include <algorithm>

#include "espalier/base/error.h"
#include "espalier/onnx/codec.h"

namespace espalier::onnx {
namespace {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;
using Names = std::set<std::string>;

void collect_captured(const GraphProto& graph, Names& captured);

void collect_captured(const NodeProto& node, Names& used) {
  for (const AttributeProto& attribute : node.attribute()) {
    for (const GraphProto* graph : subgraphs(attribute)) collect_captured(*graph, used);
  }
}

void add_own_names(const GraphProto& graph, Names& names) {
  for (const auto& input : graph.input()) names.insert(input.name());
  for (const auto& constant : graph.initializer()) names.insert(constant.name());
  for (const auto& constant : graph.sparse_initializer()) names.insert(constant.values().name());
  for (const auto& node : graph.node()) names.insert(node.output().begin(), node.output().end());
}

void collect_captured(const GraphProto& graph, Names& captured) {
  Names used;
  for (const auto& node : graph.node()) {
    used.insert(node.input().begin(), node.input().end());
    collect_captured(node, used);
  }
  for (const auto& output : graph.output()) used.insert(output.name());
  Names own{""};
  add_own_names(graph, own);
  std::ranges::set_difference(used, own, std::inserter(captured, captured.end()));
}

void collect_defined(const GraphProto& graph, Names& names) {
  add_own_names(graph, names);
  for (const auto& node : graph.node()) {
    for (const auto& attribute : node.attribute()) {
      for (const GraphProto* inner : subgraphs(attribute)) collect_defined(*inner, names);
    }
  }
}

void rename(std::string* name, const std::map<std::string, std::string>& names) {
  const auto place = names.find(*name);
  if (place != names.end()) *name = place->second;
}

void rename_values(GraphProto& graph, const std::map<std::string, std::string>& names) {
  for (auto& input : *graph.mutable_input()) rename(input.mutable_name(), names);
  for (auto& output : *graph.mutable_output()) rename(output.mutable_name(), names);
  for (auto& info : *graph.mutable_value_info()) rename(info.mutable_name(), names);
  for (auto& constant : *graph.mutable_initializer()) rename(constant.mutable_name(), names);
  for (auto& constant : *graph.mutable_sparse_initializer()) {
    rename(constant.mutable_values()->mutable_name(), names);
  }
  for (auto& node : *graph.mutable_node()) {
    for (auto& input : *node.mutable_input()) rename(&input, names);
    for (auto& output : *node.mutable_output()) rename(&output, names);
    for (auto& attribute : *node.mutable_attribute()) onnx::rename_values(attribute, names);
  }
}

void refuse_external(const TensorProto& tensor, const std::string& where) {
  if (tensor.data_location() != TensorProto::EXTERNAL) return;
  throw base::UnsupportedError({.what = "unsupported constant",
                                .where = where,
                                .got = "external data inside a subgraph",
                                .hint = "store the tensor inside the model file"});
}

void refuse_external(const GraphProto& graph, const std::string& where) {
  for (const auto& tensor : graph.initializer()) refuse_external(tensor, where);
}

}  // namespace

std::vector<const GraphProto*> subgraphs(const AttributeProto& attribute) {
  std::vector<const GraphProto*> graphs;
  if (attribute.has_g()) graphs.push_back(&attribute.g());
  for (const GraphProto& graph : attribute.graphs()) graphs.push_back(&graph);
  return graphs;
}

std::set<std::string> captured_names(const NodeProto& node) {
  Names captured;
  collect_captured(node, captured);
  return captured;
}

void for_each_inner_node(const AttributeProto& attribute,
                         const std::function<void(const NodeProto&)>& visit) {
  for (const GraphProto* graph : subgraphs(attribute)) {
    for (const NodeProto& node : graph->node()) {
      visit(node);
      for (const auto& inner : node.attribute()) for_each_inner_node(inner, visit);
    }
  }
}

std::set<std::string> defined_names(const AttributeProto& attribute) {
  Names names;
  for (const GraphProto* graph : subgraphs(attribute)) collect_defined(*graph, names);
  names.erase("");
  return names;
}

void rename_values(AttributeProto& attribute, const std::map<std::string, std::string>& names) {
  if (attribute.has_g()) rename_values(*attribute.mutable_g(), names);
  for (GraphProto& graph : *attribute.mutable_graphs()) rename_values(graph, names);
}

void refuse_external_data(const AttributeProto& attribute, const std::string& where) {
  if (attribute.has_t()) refuse_external(attribute.t(), where);
  for (const GraphProto* graph : subgraphs(attribute)) refuse_external(*graph, where);
  for_each_inner_node(attribute, [&where](const NodeProto& node) {
    for (const auto& inner : node.attribute()) {
      if (inner.has_t()) refuse_external(inner.t(), where);
      for (const GraphProto* graph : subgraphs(inner)) refuse_external(*graph, where);
    }
  });
}

std::size_t num_formal_inputs(const ir::Node& node) {
  const auto place = node.attributes().find(kCapturedNames);
  if (place == node.attributes().end()) return node.inputs().size();
  const auto* names = std::get_if<ir::Strings>(&place->second);
  const std::size_t captured = names == nullptr ? 0 : names->size();
  return node.inputs().size() - std::min(captured, node.inputs().size());
}

}  // namespace espalier::onnx
