#pragma once

#include "espalier/exec/state.h"

namespace espalier::exec {

/// Program::run of the whole graph.
[[nodiscard]] std::vector<Tensor> run_whole(const ProgramState& state,
                                            std::span<const Tensor> inputs, const Tap& tap);

/// Program::run from given to wanted values.
[[nodiscard]] TensorMap run_range(const ProgramState& state, const TensorMap& from,
                                  std::span<const std::string> to, const Tap& tap);

/// Program::describe.
[[nodiscard]] std::string describe_state(const ProgramState& state);

}  // namespace espalier::exec
