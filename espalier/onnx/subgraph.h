#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

#include "espalier/ir/node.h"

namespace espalier::onnx {

/// Subgraphs of an attribute: none, one (GRAPH) or several (GRAPHS).
[[nodiscard]] std::vector<const ::onnx::GraphProto*> subgraphs(
    const ::onnx::AttributeProto& attribute);

/// Names that the subgraphs of a node read but do not define, sorted.
[[nodiscard]] std::set<std::string> captured_names(const ::onnx::NodeProto& node);

/// Calls `visit` for every node inside the subgraphs of an attribute, at any depth.
void for_each_inner_node(const ::onnx::AttributeProto& attribute,
                         const std::function<void(const ::onnx::NodeProto&)>& visit);

/// Names that the subgraphs of an attribute define, at any depth.
[[nodiscard]] std::set<std::string> defined_names(const ::onnx::AttributeProto& attribute);

/// Renames values in the subgraphs of an attribute: every name of `names`, where it is captured
/// and where it is defined.
void rename_values(::onnx::AttributeProto& attribute,
                   const std::map<std::string, std::string>& names);

/// Throws UnsupportedError when a tensor inside the subgraphs lies in an external file.
void refuse_external_data(const ::onnx::AttributeProto& attribute, const std::string& where);

/// Inputs of the operator itself: all but the trailing captured ones.
[[nodiscard]] std::size_t num_formal_inputs(const ir::Node& node);

}  // namespace espalier::onnx
