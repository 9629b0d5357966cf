#pragma once

#include <onnx/onnx_pb.h>

#include "espalier/ir/value.h"

namespace espalier::onnx {

/// Our type of a TypeProto; Undefined for what is no dense tensor. A negative size is unknown.
[[nodiscard]] ir::TypeInfo read_type(const ::onnx::TypeProto& proto);

/// Writes a tensor type; dims without size keep their symbol.
void write_type(const ir::TypeInfo& type, ::onnx::TypeProto& proto);

}  // namespace espalier::onnx
