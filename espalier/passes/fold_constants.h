#pragma once

#include <cstdint>

#include "espalier/passes/pass.h"

namespace espalier::passes {

struct FoldConstantsOptions {
  /// Largest result, unless the node's inputs are larger than that themselves.
  std::int64_t max_result_bytes = std::int64_t{16} << 20;
  /// Bytes that all folded results together may exceed the sizes of their inputs by.
  std::int64_t max_growth_bytes = std::int64_t{256} << 20;
};

/// Before   y = Op(constant, constant, ...)
/// After    y is an initializer
/// Formula  the node is run by the executor on its own: in float64 when an input is float64, in
///          float32 otherwise.
/// Conditions: all inputs are initializers (Constant: none); the operator is deterministic, of
///          ONNX's domain, has a kernel and one live output that is no graph output; it neither
///          quantizes nor dequantizes, which would undo a quantized model; the size limits hold.
[[nodiscard]] Pass fold_constants(const FoldConstantsOptions& options = {});

}  // namespace espalier::passes
