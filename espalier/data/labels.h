#pragma once

#include <cstdint>

#include "espalier/data/sample.h"

namespace espalier::data {

/// Throws UserError, which names the sample, when a label of the batch is `classes` or more;
/// negative labels are none.
void check_labels(const Batch& batch, std::int64_t classes);

}  // namespace espalier::data
