#pragma once

#include <string>
#include <string_view>

#include <onnx/onnx_pb.h>

namespace espalier::onnx {

/// Parses a file's bytes and checks the envelope: container, IR version, opsets. The domain
/// "ai.onnx" is written as "" everywhere, and functions of the model are inlined.
/// Throws UserError or UnsupportedError, naming the model `name`.
[[nodiscard]] ::onnx::ModelProto parse_model(std::string_view bytes, const std::string& name);

/// The checks and normalizations of parse_model for a model that is already parsed.
void check_envelope(::onnx::ModelProto& model, const std::string& name);

/// Opset of ONNX's own domain; 0 when the model imports none.
[[nodiscard]] std::int64_t default_opset(const ::onnx::ModelProto& model);

}  // namespace espalier::onnx
