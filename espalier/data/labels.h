#pragma once

#include <cstdint>

#include "espalier/data/dataset.h"
#include "espalier/data/sample.h"

namespace espalier::data {

/// Throws UserError, which names the sample (as `dataset` calls it, where there is one), when a
/// label of the batch is `classes` or more; negative labels are none.
void check_labels(const Batch& batch, std::int64_t classes, const Dataset* dataset = nullptr);

}  // namespace espalier::data
