#pragma once

#include <string>
#include <string_view>

#include "espalier/ir/graph.h"

namespace espalier::onnx {

/// The graph of ONNX's text syntax, decoded like a file. A text without the leading
/// `<ir_version: ..., opset_import: [...]>` gets opset 17 (and the domain "espalier").
/// Throws UserError with the parser's message.
[[nodiscard]] ir::Graph parse(std::string_view text);

/// The graph in ONNX's text syntax, at its own opset.
[[nodiscard]] std::string print(const ir::Graph& graph);

}  // namespace espalier::onnx
