#pragma once

#include <memory>
#include <vector>

#include "espalier/train/optimizer.h"

namespace espalier::train {

/// The optimizer of AdamOptions: both moments, weight decay and update in one pass. Every element
/// is computed alike on any number of threads. Slots: "first_moment", "second_moment", and
/// "updates", the number of updates of the parameter (int64, one element). Throws UserError for
/// rates outside [0, 1) or an epsilon that is not above 0.
[[nodiscard]] std::unique_ptr<Optimizer> make_adam(const AdamOptions& options,
                                                   std::vector<OptimizedParameter> parameters);

}  // namespace espalier::train
