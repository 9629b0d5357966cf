#pragma once

#include <cstdint>
#include <string>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"

namespace espalier::train {

/// Exponential moving average of what is trained: average += (1 - d) * (value - average) after
/// every step (Polyak and Juditsky, 1992; Tarvainen and Valpola, NeurIPS 2017).
struct EmaOptions {
  double decay = 0;     ///< d; 0: no average
  bool warm_up = true;  ///< d = min(decay, (1 + t) / (10 + t)) at step t, so that it starts fast
};

/// Throws UserError for a decay outside [0, 1).
void check_ema(const EmaOptions& options);

/// What an average is kept of: all parameters, and the running statistics of normalizations, which
/// belong to them.
[[nodiscard]] exec::TensorMap averaged_tensors(const ir::Graph& graph,
                                               const exec::Program& program);

/// The averages of a set of tensors, which are shared with a program.
class Average {
 public:
  /// Starts with the present values. Every tensor must fill its memory without gaps.
  Average(const EmaOptions& options, exec::TensorMap tensors);

  /// Takes the present values in; `step` counts the finished steps, from 1.
  void update(std::int64_t step);
  /// Exchanges the values with the averages: the program computes with the averages until the next
  /// call, which gives back every bit.
  void exchange();
  /// "ema/<name>": shares memory with the averages.
  [[nodiscard]] exec::TensorMap slots() const;
  /// Copies those of the saved slots that are averages of these tensors; others start with the
  /// present values. Gives how many were taken.
  std::size_t adopt_slots(const exec::TensorMap& saved);

  [[nodiscard]] static bool is_slot(std::string_view name) { return name.starts_with("ema/"); }

 private:
  EmaOptions options_;
  exec::TensorMap tensors_;
  exec::TensorMap averages_;
};

}  // namespace espalier::train
