#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Makes a model whose file fixes the batch take any, so that it can be trained.
///
/// Before   input [8, C, H, W]                       Reshape(x, [8, -1])    Resize(x, sizes=[8,
/// ...]) After    input [opened_batch, C, H, W]            Reshape(x, [0, -1])    the size of x in
/// place of 8 Also     Expand. The graph's metadata keep the batch for close_batch. Conditions:
/// every input has the same first size; without one that is known nothing changes. Throws UserError
/// naming the node where a graph output would keep the batch all the same. Whether samples are
/// still independent of each other is for the caller to try.
[[nodiscard]] Pass open_batch();

/// Gives the inputs of a graph that open_batch opened their first size back. Other graphs stay as
/// they are.
[[nodiscard]] Pass close_batch();

}  // namespace espalier::passes
