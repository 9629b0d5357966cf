#include "espalier/exec/run.h"

#include <c10/core/GradMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/name_match.h"

namespace espalier::exec {
namespace {

/// Switches gradients off during a run of an Inference program, and with them autograd's
/// bookkeeping of every operator.
class InferenceGuard {
 public:
  explicit InferenceGuard(Mode mode)
      : gradients_(mode == Mode::Training && c10::GradMode::is_enabled()),
        bookkeeping_(mode == Mode::Training ? c10::DispatchKeySet()
                                            : c10::autograd_dispatch_keyset_with_ADInplaceOrView) {}

 private:
  c10::AutoGradMode gradients_;
  c10::impl::ExcludeDispatchKeyGuard bookkeeping_;
};

std::string describe_tensor(const Tensor& tensor) {
  return fmt::format("{}[{}]", tensor::to_string(tensor::from_scalar_type(tensor.scalar_type())),
                     fmt::join(tensor.sizes(), ", "));
}

bool fits(const Tensor& tensor, const ir::TypeInfo& type) {
  const tensor::DType dtype = tensor::from_scalar_type(tensor.scalar_type());
  const bool both_floating = tensor::is_floating(dtype) && tensor::is_floating(type.dtype);
  const bool any_type = type.dtype == tensor::DType::Undefined;
  if (!any_type && !both_floating && dtype != type.dtype) return false;
  if (!type.shape) return true;
  if (type.shape->size() != static_cast<std::size_t>(tensor.dim())) return false;
  for (std::size_t axis = 0; axis < type.shape->size(); ++axis) {
    const tensor::Dim& dim = (*type.shape)[axis];
    if (dim.known() && *dim.size != tensor.size(static_cast<std::int64_t>(axis))) return false;
  }
  return true;
}

void check_input(const InputPort& port, const Tensor& tensor) {
  if (tensor.defined() && fits(tensor, port.type)) return;
  const ir::TypeInfo& type = port.type;
  const std::string shape = type.shape ? tensor::to_string(*type.shape) : "of any shape";
  throw base::UserError({.what = "cannot run the model: wrong input",
                         .where = "input '" + port.name + "'",
                         .got = tensor.defined() ? describe_tensor(tensor) : "no tensor",
                         .expected = fmt::format("{}{}", tensor::to_string(type.dtype), shape)});
}

/// The tensor in the program's dtype, device and layout.
Tensor bring_in(const Tensor& tensor, const CompileOptions& options) {
  if (!tensor.is_floating_point()) return tensor.to(options.device);
  Tensor result = tensor.to(options.device, *tensor::to_scalar_type(options.dtype));
  const bool images = options.channels_last && result.dim() == 4;
  return images ? result.contiguous(at::MemoryFormat::ChannelsLast) : result;
}

/// Executes scheduled steps over a table of slots.
class Execution {
 public:
  Execution(const ProgramState& state, const Tap& tap)
      : state_(state), tap_(tap), slots_(state.slot_names.size()) {}

  void feed(std::size_t slot, Tensor tensor) {
    slots_[slot] = std::move(tensor);
    report(slot);
  }

  void report_held() const {
    if (!tap_) return;
    for (const auto& [name, index] : state_.held_taps) tap_(name, state_.held[index]);
  }

  void run(const Schedule& schedule) {
    for (std::size_t place = 0; place < schedule.steps.size(); ++place) {
      const Step& step = state_.steps[schedule.steps[place]];
      collect(step, schedule.last_use[place]);
      outputs_.assign(step.outputs.size(), Tensor());
      Call call{.inputs = inputs_,
                .outputs = outputs_,
                .training = state_.training,
                .frozen_batch_norm = state_.frozen_batch_norm,
                .frozen_quantizers = state_.frozen_quantizers};
      run_step(step, call, state_.options);
      inputs_.clear();
      store(step);
      for (const int slot : schedule.unused[place]) slots_[static_cast<std::size_t>(slot)].reset();
    }
  }

  /// The tensor of a source; a constant is copied so that the caller may change it.
  [[nodiscard]] Tensor result(const Source& source) const {
    if (source.kind == Source::Kind::Slot) return slots_[source.index];
    const Tensor& held = state_.held[source.index];
    return held.requires_grad() ? held : held.clone();
  }

 private:
  void collect(const Step& step, const std::vector<bool>& last_use) {
    inputs_.resize(step.inputs.size());
    for (std::size_t index = 0; index < step.inputs.size(); ++index) {
      const Source& source = step.inputs[index];
      if (source.kind == Source::Kind::None) continue;
      if (source.kind == Source::Kind::Held) {
        inputs_[index] = state_.held[source.index];
      } else if (last_use[index]) {
        inputs_[index] = std::move(slots_[source.index]);
      } else {
        inputs_[index] = slots_[source.index];
      }
    }
  }

  void store(const Step& step) {
    for (std::size_t index = 0; index < step.outputs.size(); ++index) {
      if (step.outputs[index] == kNoSlot) continue;
      const auto slot = static_cast<std::size_t>(step.outputs[index]);
      slots_[slot] = std::move(outputs_[index]);
      report(slot);
    }
  }

  void report(std::size_t slot) const {
    if (tap_ && state_.tapped[slot]) tap_(state_.slot_names[slot], slots_[slot]);
  }

  const ProgramState& state_;
  const Tap& tap_;
  std::vector<Tensor> slots_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
};

/// Plain memory order, as callers outside of the program expect it.
Tensor in_plain_order(const Tensor& tensor) {
  return tensor.contiguous();
}

const Source& find_reachable(const ProgramState& state, std::string_view name) {
  const auto place = state.reachable.find(name);
  if (place != state.reachable.end()) return place->second;
  std::vector<std::string> known;
  for (const auto& [value, source] : state.reachable) known.push_back(value);
  throw base::UserError({.what = "cannot run a part of the model: the value is not reachable",
                         .got = fmt::format("'{}'", name),
                         .expected = "an input, an output or a value of CompileOptions::taps",
                         .hint = base::nearest_name(name, known)});
}

/// The name of a graph input that the schedule reads but nobody gave, or empty.
std::string missing_input(const ProgramState& state, const Schedule& schedule,
                          const ScheduleRequest& request) {
  std::vector<bool> needed(state.slot_names.size(), false);
  for (const int slot : request.wanted) needed[static_cast<std::size_t>(slot)] = true;
  for (const std::size_t index : schedule.steps) {
    for (const Source& source : state.steps[index].inputs) {
      if (source.kind == Source::Kind::Slot) needed[source.index] = true;
    }
  }
  for (const int slot : request.given) needed[static_cast<std::size_t>(slot)] = false;
  for (const InputPort& input : state.inputs) {
    if (needed[static_cast<std::size_t>(input.slot)]) return input.name;
  }
  return {};
}

}  // namespace

std::vector<Tensor> run_whole(const ProgramState& state, std::span<const Tensor> inputs,
                              const Tap& tap) {
  base::check(inputs.size() == state.inputs.size(),
              "cannot run the model: got {} inputs, expected {} ({})", inputs.size(),
              state.inputs.size(), fmt::join(state.input_names, ", "));
  const InferenceGuard guard(state.options.mode);
  Execution execution(state, tap);
  for (std::size_t index = 0; index < inputs.size(); ++index) {
    const InputPort& port = state.inputs[index];
    check_input(port, inputs[index]);
    execution.feed(static_cast<std::size_t>(port.slot), bring_in(inputs[index], state.options));
  }
  execution.report_held();
  execution.run(state.whole);
  std::vector<Tensor> results;
  for (const Source& output : state.outputs) {
    results.push_back(in_plain_order(execution.result(output)));
  }
  return results;
}

TensorMap run_range(const ProgramState& state, const TensorMap& from,
                    std::span<const std::string> to, const Tap& tap) {
  const InferenceGuard guard(state.options.mode);
  Execution execution(state, tap);
  ScheduleRequest request;
  for (const auto& [name, tensor] : from) {
    const Source& source = find_reachable(state, name);
    if (source.kind != Source::Kind::Slot) continue;
    request.given.push_back(static_cast<int>(source.index));
    execution.feed(source.index, bring_in(tensor, state.options));
  }
  for (const std::string& name : to) {
    const Source& source = find_reachable(state, name);
    if (source.kind == Source::Kind::Slot) request.wanted.push_back(static_cast<int>(source.index));
  }
  request.kept = request.wanted;
  const Schedule schedule = make_schedule(state.steps, state.slot_names.size(), request);
  const std::string missing = missing_input(state, schedule, request);
  if (!missing.empty()) {
    throw base::UserError({.what = "cannot run a part of the model: a value is needed",
                           .got = "no '" + missing + "'",
                           .hint = "give the input, or a tapped value that comes after it"});
  }
  execution.run(schedule);
  TensorMap results;
  for (const std::string& name : to) {
    results[name] = execution.result(find_reachable(state, name));
  }
  return results;
}

std::string describe_state(const ProgramState& state) {
  std::string text;
  const auto name_of = [&](const Source& source) -> std::string {
    if (source.kind == Source::Kind::Slot) return state.slot_names[source.index];
    return source.kind == Source::Kind::Held ? fmt::format("#{}", source.index) : "-";
  };
  for (std::size_t place = 0; place < state.whole.steps.size(); ++place) {
    const Step& step = state.steps[state.whole.steps[place]];
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    std::vector<std::string> freed;
    for (std::size_t index = 0; index < step.inputs.size(); ++index) {
      inputs.push_back(name_of(step.inputs[index]));
      if (state.whole.last_use[place][index]) freed.push_back(inputs.back());
    }
    for (const int slot : step.outputs) {
      outputs.push_back(slot == kNoSlot ? "-" : state.slot_names[static_cast<std::size_t>(slot)]);
    }
    text += fmt::format("{}: {} <- {}", fmt::join(step.nodes, " + "), fmt::join(outputs, ", "),
                        fmt::join(inputs, ", "));
    if (!freed.empty()) text += fmt::format("; frees {}", fmt::join(freed, ", "));
    text += "\n";
  }
  return text;
}

}  // namespace espalier::exec
