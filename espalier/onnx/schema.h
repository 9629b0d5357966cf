#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "espalier/ir/graph.h"

namespace espalier::onnx {

enum class CheckTypes { No, Yes };

/// How a node breaks the schema of its operator in an opset: unknown operator of ONNX, wrong number
/// of inputs or outputs, unknown, missing or wrongly typed attributes, element types. Nothing when
/// it fits, or when ONNX has never heard of the operator (such nodes are opaque).
[[nodiscard]] std::optional<std::string> schema_violation(const ir::Node& node, std::int64_t opset,
                                                          CheckTypes check_types);

/// Opset in which the operator got the form that it has in `opset`; 0 for unknown operators.
[[nodiscard]] std::int64_t since_version(const std::string& op, std::int64_t opset);

/// Removes attributes that `opset` does not know and that hold the default they have in `known`.
void drop_new_defaults(ir::Node& node, std::int64_t known, std::int64_t opset);

}  // namespace espalier::onnx
