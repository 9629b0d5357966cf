#pragma once

#include <span>
#include <string>

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   outputs (y)
/// After    outputs (y, a, b)
/// Makes the named values graph outputs behind the present ones, in the order given; those that are
/// outputs already are left alone. For looking inside an engine. Throws UserError for names that
/// the graph does not have and for graph inputs and initializers.
[[nodiscard]] Pass expose_values(std::span<const std::string> names);

}  // namespace espalier::passes
