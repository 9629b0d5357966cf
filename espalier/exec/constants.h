#pragma once

#include <map>
#include <set>
#include <span>

#include "espalier/exec/parameters.h"
#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"

namespace espalier::exec {

/// Tensors of the values known at compile time, in host form.
using ConstantMap = std::map<const ir::Value*, Tensor>;

/// The options of a step that computes host values: CPU, at least float32.
[[nodiscard]] CompileOptions host_options(const CompileOptions& options);

/// The tensor with floating elements in the options' dtype, on their device.
[[nodiscard]] Tensor convert(const Tensor& tensor, const CompileOptions& options);

/// The initializers that training does not own, and what the live nodes compute from them alone.
[[nodiscard]] ConstantMap fold_constants(const ir::Graph& graph,
                                         const std::set<const ir::Node*>& live,
                                         const ParameterSet& owned, const CompileOptions& options);

}  // namespace espalier::exec
