#include "espalier/train/resume.h"

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"

namespace espalier::train {
namespace {

template <typename T>
void warn(std::string_view what, const T& before, const T& now) {
  if (before == now) return;
  base::log_warning(
      "the checkpoint was made with {} '{}', this run has '{}': it will not end with the same "
      "bytes",
      what, before, now);
}

}  // namespace

void take_over(const TrainState& saved, TrainState& state) {
  warn("seed", saved.seed, state.seed);
  warn("threads", saved.threads, state.threads);
  warn("instruction set", saved.instruction_set, state.instruction_set);
  warn("optimizer", saved.optimizer, state.optimizer);
  warn("schedule", saved.schedule, state.schedule);
  warn("steps an epoch", saved.steps_per_epoch, state.steps_per_epoch);
  for (const auto& [name, version] : state.versions) {
    const auto before = saved.versions.find(name);
    warn(name, before == saved.versions.end() ? std::string("none") : before->second, version);
  }
  state.epoch = saved.epoch;
  state.step_in_epoch = saved.step_in_epoch;
  state.data_offset = saved.data_offset;
  state.step = saved.step;
  state.meters = saved.meters;
  state.history = saved.history;
  if (saved.best_metric == state.best_metric) {
    state.best_value = saved.best_value;
    state.best_epoch = saved.best_epoch;
  } else if (!saved.best_metric.empty() && !state.best_metric.empty()) {
    base::log_warning("the best {} of the checkpoint does not count for this run's {}",
                      saved.best_metric, state.best_metric);
  }
}

exec::TensorMap matching_tensors(const ir::Graph& saved, const exec::Program& program) {
  exec::TensorMap tensors;
  for (const exec::TensorMap* wanted : {&program.parameters(), &program.buffers()}) {
    for (const auto& [name, tensor] : *wanted) {
      const ir::Value* value = saved.find_value(name);
      if (value == nullptr || !value->is_initializer()) {
        throw base::UserError({.what = "the checkpoint is of another model",
                               .where = fmt::format("parameter '{}'", name),
                               .got = "nothing",
                               .expected = "its values"});
      }
      tensors.emplace(name, value->constant());
    }
  }
  return tensors;
}

}  // namespace espalier::train
