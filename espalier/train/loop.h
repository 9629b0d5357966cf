#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/train/average.h"
#include "espalier/train/batch_source.h"
#include "espalier/train/checkpoint.h"
#include "espalier/train/freeze.h"
#include "espalier/train/gradients.h"
#include "espalier/train/loss.h"
#include "espalier/train/metric.h"
#include "espalier/train/optimizer.h"
#include "espalier/train/parameter_groups.h"
#include "espalier/train/schedule.h"
#include "espalier/train/sparsity.h"
#include "espalier/train/strategy.h"

namespace espalier::train {

struct CheckpointOptions {
  std::filesystem::path folder = {};  ///< empty: none are written
  int keep = 2;                       ///< newest step files that stay
  std::int64_t every_steps = 0;       ///< beside the one at the end of each epoch; 0: no others
  bool resume = false;                ///< continue from the newest good one, when there is one
  std::string forget_best = {};       ///< why its best value does not count; empty: it does
  std::string config = {};            ///< resolved recipe text to store
};

struct TrainOptions {
  std::int64_t epochs = 1;
  std::uint64_t seed = 0;
  OptimizerOptions optimizer = SgdOptions{};
  GroupOptions groups = {};
  ClipOptions clip = {};
  EmaOptions ema = {};  ///< with an average, it is what is evaluated, kept as best, and delivered
  std::vector<FreezeRule> freezes = {};
  ScheduleOptions schedule = {};
  SparsityOptions sparsity = {};
  std::vector<TopK> metrics = {{.k = 1}};
  std::int64_t evaluate_every_epochs = 1;  ///< and after the last one
  std::string best_metric = "top1";        ///< larger is better, but for "loss" and loss terms
  std::int64_t log_every_steps = 20;       ///< 0: no log lines
  CheckpointOptions checkpoints = {};
};

/// What one step gave; times in seconds.
struct StepReport {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t epochs = 0;
  std::int64_t iteration = 0;  ///< in the epoch, from 1
  std::int64_t iterations = 0;
  std::int64_t step = 0;  ///< finished steps of all epochs
  bool log_due = false;   ///< every log_every_steps, and at the end of the epoch
  double lr = 0;
  double gradient_norm = 0;  ///< of all parameters together, before clipping
  MetricValues values;       ///< of this batch: "loss", the terms when several, every metric
  MetricValues means;        ///< over the epoch so far
  double batch_cost = 0;     ///< mean of a whole step; the first 5 of an epoch do not count
  double reader_cost = 0;    ///< mean wait for the batch
  double samples_per_second = 0;
  double eta = 0;
};

/// What one epoch gave.
struct EpochReport {
  EpochRecord record;
  std::int64_t epochs = 0;
  std::int64_t step = 0;
  bool improved = false;  ///< the best evaluation so far
  std::string best_metric;
  double best_value = 0;
  std::int64_t best_epoch = 0;
  double seconds = 0;
};

struct Callbacks {
  /// The training is about to begin: model, data and losses fit, and what resuming needs was read;
  /// nothing is written yet.
  std::function<void()> on_start = {};
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(const EpochReport&)> on_epoch = {};
};

/// What is trained, on what. The loop knows nothing of compression: the graph may hold FakeQuantize
/// nodes, a distillation is a loss term, and what begins or ends between epochs is a strategy.
struct TrainJob {
  const ir::Graph& graph;  ///< what the program was compiled from; written to checkpoints
  exec::Program& program;  ///< mode Training; replaced when a strategy changes the graph
  BatchSource& data;
  BatchSource* evaluation = nullptr;  ///< null: no evaluation, no best model
  std::vector<LossTerm> losses = {};
  Callbacks callbacks = {};
  std::vector<Strategy*> strategies = {};  ///< borrowed; called in this order
  /// Makes the program of a graph that a strategy changed; empty: compiled for training.
  std::function<exec::Program(const ir::Graph&)> compile = {};
};

struct TrainResult {
  ir::Graph model;  ///< as the last epoch was evaluated: the averages, where they are kept
  TrainState state;
  /// Where the run continued, in finished steps; nothing when it started anew.
  std::optional<std::int64_t> resumed_at = {};
  double seconds = 0;  ///< of this call, with evaluation and checkpoints
};

/// Trains. Bit-exact for the same seed, thread count and instruction set, whether in one go or
/// resumed; a checkpoint of other threads or instructions resumes with a warning. On a signal
/// (base::interrupted) writes a checkpoint and throws Interrupted. A loss that is not finite throws
/// UserError naming the step and the first layer that gave such a value, and so does a gradient,
/// before it reaches a parameter: no checkpoint holds such numbers, and the last one stays. A
/// resumed run takes an optimizer of another kind, new numbers and new strategies from its options,
/// not from the checkpoint. Denormal numbers are flushed to zero while it runs.
TrainResult train(const TrainJob& job, const TrainOptions& options);

}  // namespace espalier::train
