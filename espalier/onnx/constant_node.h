#pragma once

#include <optional>

#include "espalier/ir/node.h"

namespace espalier::onnx {

/// The tensor that the attributes of a Constant node stand for; nothing for strings, sparse
/// tensors and types that no tensor can hold.
[[nodiscard]] std::optional<Tensor> constant_value(const ir::Attributes& attributes);

}  // namespace espalier::onnx
