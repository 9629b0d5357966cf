#pragma once

#include <string>

#include <onnx/onnx_pb.h>

namespace espalier::onnx {

/// Replaces calls of the model's own functions by their bodies, so that none are left.
/// Throws UserError when functions call each other in a circle or grow beyond all bounds, and
/// UnsupportedError when a function is written for another opset than the model.
void inline_functions(::onnx::ModelProto& model, const std::string& name);

}  // namespace espalier::onnx
