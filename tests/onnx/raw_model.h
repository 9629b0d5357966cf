#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <onnx/onnx_pb.h>

#include "espalier/ir/graph.h"

namespace espalier::onnx {

/// The proto of a model in ONNX's text syntax, as the library parses it: nothing of ours has
/// touched it. Without a leading "<ir_version..." it gets IR version 8 and this opset.
[[nodiscard]] ::onnx::ModelProto raw_model(std::string_view text, std::int64_t opset = 17);

/// Its bytes, after `change` has broken what the text syntax cannot express.
[[nodiscard]] std::string raw_bytes(std::string_view text, std::int64_t opset = 17,
                                    const std::function<void(::onnx::ModelProto&)>& change = {});

/// decode() of these bytes.
[[nodiscard]] ir::Graph read(std::string_view text, std::int64_t opset = 17);

/// The only node of this operator; a failed test when there is none.
[[nodiscard]] const ir::Node& only(const ir::Graph& graph, std::string_view op);

/// Operators of the graph in order, separated by spaces.
[[nodiscard]] std::string operators(const ir::Graph& graph);

/// Values of an integer initializer.
[[nodiscard]] ir::Ints ints_of(const ir::Value* value);

}  // namespace espalier::onnx
