#pragma once

#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/node.h"

namespace espalier::ops {

/// The equation of an Einsum: a letter for every axis.
struct EinsumEquation {
  std::vector<std::string> inputs;
  std::string output;
};

/// Nothing for equations without "->", with an ellipsis, with other ranks than the node's values
/// have (a value of unknown rank fits), with a letter twice in one term (a diagonal), or with a
/// letter in the output alone.
[[nodiscard]] std::optional<EinsumEquation> einsum_equation(const ir::Node& node);

}  // namespace espalier::ops
