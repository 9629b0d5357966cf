#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Gives values the names that they have where BatchNormalization is folded, so that a plan for the
/// prepared graph fits the graph that is trained.
///
/// Before   y = Conv(x, W)          z = BatchNormalization(y, ...)
/// After    y_unfolded = Conv(x, W)     y = BatchNormalization(y_unfolded, ...)
/// Conditions: as fold_batch_norm joins the two (Conv, ConvTranspose, Gemm); z is no graph output:
/// there folding keeps the name of z.
[[nodiscard]] Pass name_as_folded();

/// The BatchNormalization that fold_batch_norm joins with this layer, or null.
[[nodiscard]] ir::Node* joined_batch_norm(const ir::Node& layer);

}  // namespace espalier::passes
