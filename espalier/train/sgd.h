#pragma once

#include <memory>
#include <vector>

#include "espalier/train/optimizer.h"

namespace espalier::train {

/// The optimizer of SgdOptions: one loop over all parameters, split evenly among the threads, with
/// weight decay, momentum and update in one pass and no temporaries. Every element is computed
/// alike on any number of threads.
[[nodiscard]] std::unique_ptr<Optimizer> make_sgd(const SgdOptions& options,
                                                  std::vector<OptimizedParameter> parameters);

}  // namespace espalier::train
