#pragma once

#include <string>
#include <vector>

#include "espalier/exec/kernel.h"

namespace espalier::exec {

/// Where a step finds an input.
struct Source {
  enum class Kind {
    None,  ///< left out
    Slot,  ///< computed or fed during the run
    Held   ///< constant, parameter or buffer of the program
  };
  Kind kind = Kind::None;
  std::size_t index = 0;
};

inline constexpr int kNoSlot = -1;

/// One call of a kernel: a node, or a region of fused nodes.
struct Step {
  Kernel kernel;
  std::vector<Source> inputs;
  std::vector<int> outputs;          ///< slots; kNoSlot for outputs left out
  std::vector<std::size_t> to_data;  ///< inputs to be brought to the program's device and dtype
  std::vector<std::size_t> to_host;  ///< inputs to be brought to the CPU
  std::vector<std::string> nodes;    ///< names of the fused nodes, in order
  std::string label;                 ///< for messages and describe(): "node 'conv1' (Conv)"
};

/// Calls `make` and adds the node's name to errors that lack it: UserError.
[[nodiscard]] Kernel make_named(const ir::Node& node, const std::function<Kernel()>& make);

/// Runs a step. `inputs` and `outputs` are scratch of the right lengths. Errors become UserError
/// naming the step and the shapes it got.
void run_step(const Step& step, Call& call, const CompileOptions& options);

}  // namespace espalier::exec
