#pragma once

#include <string_view>

#include <c10/core/ScalarType.h>

#include "espalier/exec/program.h"
#include "espalier/ir/node.h"
#include "espalier/tensor/dtype.h"

namespace espalier::exec {

/// The element type that an attribute names by ONNX's number. Throws UnsupportedError naming the
/// node for strings and for floats and integers below 8 bits.
[[nodiscard]] tensor::DType attribute_dtype(const ir::Node& node, std::string_view attribute,
                                            tensor::DType fallback);

/// The libtorch type in which a program holds values of a model's type: floating ones in its own.
[[nodiscard]] at::ScalarType computed_type(tensor::DType dtype, const CompileOptions& options);

}  // namespace espalier::exec
