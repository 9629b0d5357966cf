#pragma once

#include <span>
#include <string>
#include <string_view>

#include "espalier/exec/kernel.h"

namespace espalier::exec {

/// An operator that Espalier runs.
struct OperatorRow {
  std::string_view op;
  MakeKernel make = nullptr;
  /// Inputs that stay what they are (on the CPU, in their own type) instead of being brought to the
  /// program's device and dtype: shapes, axes, scales.
  Ports host = {};
  std::string_view note = {};    ///< limits, for docs/operators.md
  std::string_view domain = {};  ///< empty: ONNX
};

/// All operators, sorted by domain and name.
[[nodiscard]] std::span<const OperatorRow> operator_table();

/// The row of a node, or null when its operator has no kernel.
[[nodiscard]] const OperatorRow* find_operator(const ir::Node& node);

/// docs/operators.md: the table as Markdown.
[[nodiscard]] std::string operators_page();

}  // namespace espalier::exec
