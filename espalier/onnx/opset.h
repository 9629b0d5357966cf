#pragma once

#include <cstdint>

#include "espalier/ir/graph.h"

namespace espalier::onnx {

/// Rewrites the operators of ONNX's domain from the graph's opset to another, and records it.
/// Some steps need types: call infer_shapes before, and again after. Throws UnsupportedError naming
/// the node that cannot be expressed and, downwards, the lowest opset that works.
void convert_opset(ir::Graph& graph, std::int64_t target);

}  // namespace espalier::onnx
