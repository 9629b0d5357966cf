#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/exec/schedule.h"
#include "espalier/exec/step.h"

namespace espalier::exec {

/// A graph input: what run() checks and converts.
struct InputPort {
  std::string name;
  ir::TypeInfo type;
  int slot = kNoSlot;
};

/// What a compiled program consists of.
struct ProgramState {
  CompileOptions options;
  std::vector<Step> steps;
  std::vector<std::string> slot_names;  ///< by slot
  std::vector<Tensor> held;             ///< constants, parameters and buffers that steps refer to

  std::vector<InputPort> inputs;
  std::vector<Source> outputs;
  std::vector<std::string> input_names;
  std::vector<std::string> output_names;
  /// Values that exist after fusion and may be asked for by name: inputs, outputs, taps.
  std::map<std::string, Source, std::less<>> reachable;
  std::vector<bool> tapped;  ///< by slot
  /// Tapped values known at compile time: name and place in `held`. Reported once a run.
  std::vector<std::pair<std::string, std::size_t>> held_taps;

  Schedule whole;  ///< of run(inputs)
  TensorMap parameters;
  TensorMap buffers;
  bool training = false;
  bool frozen_batch_norm = false;
  bool frozen_quantizers = false;
};

struct Program::State : ProgramState {};

}  // namespace espalier::exec
