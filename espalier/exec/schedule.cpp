#include "espalier/exec/schedule.h"

#include <algorithm>

namespace espalier::exec {
namespace {

std::vector<bool> as_set(const std::vector<int>& slots, std::size_t num_slots) {
  std::vector<bool> set(num_slots, false);
  for (const int slot : slots) set[static_cast<std::size_t>(slot)] = true;
  return set;
}

/// Marks, from the last step to the first, the steps whose outputs are wanted.
std::vector<std::size_t> needed_steps(std::span<const Step> steps, std::vector<bool> wanted,
                                      const std::vector<bool>& given) {
  std::vector<std::size_t> needed;
  for (std::size_t index = steps.size(); index-- > 0;) {
    const Step& step = steps[index];
    const bool use = std::any_of(step.outputs.begin(), step.outputs.end(), [&](int slot) {
      return slot != kNoSlot && wanted[static_cast<std::size_t>(slot)] &&
             !given[static_cast<std::size_t>(slot)];
    });
    if (!use) continue;
    needed.push_back(index);
    for (const Source& source : step.inputs) {
      if (source.kind == Source::Kind::Slot) wanted[source.index] = true;
    }
  }
  std::reverse(needed.begin(), needed.end());
  return needed;
}

}  // namespace

Schedule make_schedule(std::span<const Step> steps, std::size_t num_slots,
                       const ScheduleRequest& request) {
  Schedule schedule;
  schedule.steps =
      needed_steps(steps, as_set(request.wanted, num_slots), as_set(request.given, num_slots));
  schedule.last_use.resize(schedule.steps.size());
  schedule.unused.resize(schedule.steps.size());
  std::vector<bool> used_later = as_set(request.kept, num_slots);
  for (std::size_t place = schedule.steps.size(); place-- > 0;) {
    const Step& step = steps[schedule.steps[place]];
    for (const int slot : step.outputs) {
      if (slot != kNoSlot && !used_later[static_cast<std::size_t>(slot)]) {
        schedule.unused[place].push_back(slot);
      }
    }
    std::vector<bool>& last = schedule.last_use[place];
    last.assign(step.inputs.size(), false);
    for (std::size_t input = step.inputs.size(); input-- > 0;) {
      const Source& source = step.inputs[input];
      if (source.kind != Source::Kind::Slot || used_later[source.index]) continue;
      last[input] = true;
      used_later[source.index] = true;
    }
  }
  return schedule;
}

}  // namespace espalier::exec
