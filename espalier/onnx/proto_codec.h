#pragma once

#include <cstdint>

#include <onnx/onnx_pb.h>

#include "espalier/onnx/codec.h"

namespace espalier::onnx {

/// decode() of a model that is parsed and whose envelope is sound; empties the proto.
[[nodiscard]] ir::Graph decode_model(::onnx::ModelProto& model, const DecodeOptions& options);

/// encode() before it becomes bytes.
[[nodiscard]] ::onnx::ModelProto encode_model(const ir::Graph& graph, std::int64_t opset);

}  // namespace espalier::onnx
