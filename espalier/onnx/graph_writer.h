#pragma once

#include <cstdint>

#include <onnx/onnx_pb.h>

#include "espalier/ir/graph.h"

namespace espalier::onnx {

enum class Content {
  Everything,  ///< the file as it is written
  /// For inference: constants without data (small integer ones excepted) as graph inputs,
  /// Espalier's own operators replaced by ones of the same type and shape, declared types of opaque
  /// outputs.
  TypesOnly
};

/// The model of a graph, at the opset that the graph has. Throws UnsupportedError for outputs whose
/// type ONNX cannot write.
[[nodiscard]] ::onnx::ModelProto write_model(const ir::Graph& graph, Content content);

/// IR version that came with an opset.
[[nodiscard]] std::int64_t ir_version_of(std::int64_t opset);

}  // namespace espalier::onnx
