#pragma once

#include <cstdint>
#include <vector>

#include <hwy/targets.h>

namespace espalier::exec {

/// Calls `body` once for every instruction set that this processor has and the loops are compiled
/// for, the best last; then the choice is free again.
template <typename Body>
void for_each_instruction_set(const Body& body) {
  const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  for (auto target = targets.rbegin(); target != targets.rend(); ++target) {
    hwy::SetSupportedTargetsForTest(*target);
    body(hwy::TargetName(*target));
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace espalier::exec
