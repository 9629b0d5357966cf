#pragma once

#include <span>
#include <vector>

#include "espalier/exec/step.h"

namespace espalier::exec {

/// Which steps run, and when each slot's tensor is needed for the last time.
struct Schedule {
  std::vector<std::size_t> steps;
  /// Per scheduled step: for each of its inputs, whether this is the last use of that slot.
  std::vector<std::vector<bool>> last_use;
  /// Per scheduled step: outputs that nobody reads and that can be dropped at once.
  std::vector<std::vector<int>> unused;
};

/// What a run is given and what is wanted of it, as slots.
struct ScheduleRequest {
  std::vector<int> given;   ///< fed from outside
  std::vector<int> wanted;  ///< must be computed
  std::vector<int> kept;    ///< must still be there at the end
};

/// The steps needed for a request. Every slot must lie in 0..num_slots - 1.
[[nodiscard]] Schedule make_schedule(std::span<const Step> steps, std::size_t num_slots,
                                     const ScheduleRequest& request);

}  // namespace espalier::exec
