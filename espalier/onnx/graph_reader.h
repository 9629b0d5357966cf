#pragma once

#include <onnx/onnx_pb.h>

#include "espalier/ir/graph.h"
#include "espalier/onnx/codec.h"

namespace espalier::onnx {

/// Builds the graph of a model whose envelope is sound: nodes in topological order, constants as
/// initializers, declared types on values. Empties the proto's tensors as it goes.
[[nodiscard]] ir::Graph read_graph(::onnx::ModelProto& model, const DecodeOptions& options);

}  // namespace espalier::onnx
