#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/train/checkpoint.h"
#include "espalier/train/loss.h"

namespace espalier::train {

/// Epochs from 0, both ends included: a training of 30 epochs is 0 to 29.
struct EpochSpan {
  std::int64_t start = 0;
  std::int64_t end = 0;
  [[nodiscard]] bool contains(std::int64_t epoch) const { return start <= epoch && epoch <= end; }
};

/// What one epoch is trained with beside the job's own; strategies add to it.
struct EpochPlan {
  std::vector<std::string> frozen = {};  ///< globs of parameters and buffers that keep their values
  /// BatchNormalization normalizes by its running statistics, which stay as they are.
  bool frozen_batch_norm = false;
  bool frozen_quantizers = false;     ///< quantizers keep their parameters
  std::vector<LossTerm> losses = {};  ///< training only: evaluations keep the job's terms
};

/// What a changed graph means for tensors shaped like a parameter of the old one, such as momentum
/// and averages: gets the parameter's name and the tensor, gives what it becomes.
using FollowState = std::function<Tensor(const std::string& parameter, const Tensor& state)>;

/// What on_start did to the graph.
struct Rewrite {
  /// Empty: the state of parameters whose values are still the same stays, the others' starts anew.
  FollowState follow = {};
};

/// Something that changes a training between two epochs: quantization from an epoch on, a teacher
/// for some epochs, a layer that is frozen, an export. The loop calls on_start, on_epoch and on_end
/// in the order of its list; what a call throws ends the run. A call sees only what checkpoints
/// hold, so that a resumed run does the same.
class Strategy {
 public:
  virtual ~Strategy() = default;

  /// One line for logs: "distil, epochs 0 to 9".
  [[nodiscard]] virtual std::string describe() const = 0;
  [[nodiscard]] virtual EpochSpan span() const = 0;

  /// Right before on_start: the model as evaluations see it, with averages where there are any.
  virtual void before_start(const ir::Graph& evaluated) { static_cast<void>(evaluated); }
  /// Before the first step of the epoch span().start. `graph` holds the weights trained so far.
  /// Says so when it changed the graph: the loop then compiles it anew, optimizer state and
  /// averages follow, and the best model is looked for from here on.
  virtual std::optional<Rewrite> on_start(ir::Graph& graph, const exec::Program& program) {
    static_cast<void>(graph);
    static_cast<void>(program);
    return std::nullopt;
  }
  /// In place of on_start, when a run is resumed inside the span behind it. `graph` comes from the
  /// checkpoint.
  virtual void on_resume(const ir::Graph& graph, const exec::Program& program) {
    static_cast<void>(graph);
    static_cast<void>(program);
  }
  /// Before the first step of every epoch of the span, and when a run is resumed inside one.
  virtual void on_epoch(std::int64_t epoch, EpochPlan& plan) {
    static_cast<void>(epoch);
    static_cast<void>(plan);
  }
  /// After the evaluation that closes the epoch span().end, before its checkpoint is written: a run
  /// killed in between calls it again. `model` holds the weights that were evaluated.
  virtual void on_end(const ir::Graph& model, const EpochRecord& record) {
    static_cast<void>(model);
    static_cast<void>(record);
  }
  /// True when on_start changes graphs: a resumed run then takes the graph from its checkpoint.
  [[nodiscard]] virtual bool rewrites() const { return false; }
};

}  // namespace espalier::train
