#pragma once

#include "espalier/exec/state.h"

namespace espalier::exec {

/// Compiles a graph: refuses unknown operators, takes over parameters, folds constants, finds
/// regions, makes kernels, plans lifetimes.
/// Throws UserError for bad attributes or options, UnsupportedError for operators without a kernel.
[[nodiscard]] ProgramState compile_graph(const ir::Graph& graph, const CompileOptions& options);

}  // namespace espalier::exec
