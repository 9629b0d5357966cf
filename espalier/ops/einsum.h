#pragma once

#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/node.h"

namespace espalier::ops {

/// The equation of an Einsum: a letter for every axis, an ellipsis spelled out in letters that the
/// equation does not use, an implicit output written down.
struct EinsumEquation {
  std::vector<std::string> inputs;
  std::string output;
};

/// Nothing for equations with other ranks than the node's values have (a value of unknown rank
/// fits, unless it has an ellipsis), with an ellipsis that the output lacks, with a letter twice in
/// one term (a diagonal), or with a letter in the output alone.
[[nodiscard]] std::optional<EinsumEquation> einsum_equation(const ir::Node& node);

}  // namespace espalier::ops
