#pragma once

#include <string>
#include <string_view>

#include "espalier/tensor/tensor.h"

namespace espalier::onnx {

/// The tensor of a file that holds one serialized TensorProto, as ONNX's test data has them.
/// `where` names it in messages. Throws UserError for broken bytes and UnsupportedError for element
/// types that no tensor can hold.
[[nodiscard]] Tensor decode_tensor(std::string_view bytes, std::string_view where = "tensor");

}  // namespace espalier::onnx
