#pragma once

#include <map>
#include <string>

#include "espalier/ir/graph.h"

namespace espalier::onnx {

/// Sets the types of all node outputs by the ONNX library's inference with propagation of shape
/// arithmetic; unknown dimensions keep their symbols. Outputs of nodes that nobody knows, and of
/// what depends on them, keep the type they had. FakeQuantize keeps its input's type.
/// Throws UserError naming the node when types or shapes do not fit together.
void infer_shapes(ir::Graph& graph);

/// The same after giving the named graph inputs these shapes. Throws UserError for a name that is
/// no input, or a shape that contradicts a known size.
void infer_shapes(ir::Graph& graph, const std::map<std::string, tensor::Shape>& input_shapes);

}  // namespace espalier::onnx
