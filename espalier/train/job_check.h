#pragma once

#include "espalier/train/loop.h"

namespace espalier::train {

/// Throws UserError for options out of range, a metric that nobody measures, or a strategy whose
/// epochs lie outside the run; InternalError for a job without a loss.
void check_job(const TrainJob& job, const TrainOptions& options);

}  // namespace espalier::train
