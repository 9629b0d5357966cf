#pragma once

#include <cstdint>
#include <optional>

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/train/batch_source.h"
#include "espalier/train/loop.h"

namespace espalier::train {

/// Images of 1 x 8 x 8 whose class is the brightest of their four quadrants: a function of seed,
/// epoch and batch.
class SyntheticSource final : public BatchSource {
 public:
  struct Options {
    std::int64_t batches = 4;
    std::int64_t batch_size = 16;
    std::uint64_t seed = 1;
    int pause_milliseconds = 0;  ///< before each batch
  };

  explicit SyntheticSource(const Options& options) : options_(options) {}

  [[nodiscard]] std::int64_t batches_per_epoch() const override { return options_.batches; }
  void start(SourcePosition position) override { position_ = position; }
  [[nodiscard]] std::optional<data::Batch> next() override;
  [[nodiscard]] SourcePosition position() const override { return position_; }

 private:
  Options options_;
  SourcePosition position_;
};

/// Convolution, BatchNorm, ReLU, Dropout, fully connected layer: four classes.
[[nodiscard]] ir::Graph synthetic_model(std::uint64_t seed);

/// A few epochs with everything that a checkpoint has to carry: momentum, warm-up, Dropout,
/// BatchNorm, evaluation.
[[nodiscard]] TrainOptions synthetic_options();

/// The same with what else a checkpoint has to carry: AdamW, a moving average, clipping, frozen
/// parameters and buffers.
[[nodiscard]] TrainOptions elaborate_options();

/// Multiplies the output of the ReLU by a trained factor per channel, from its start on.
class GainStrategy final : public Strategy {
 public:
  explicit GainStrategy(EpochSpan span) : span_(span) {}
  [[nodiscard]] std::string describe() const override { return "gain"; }
  [[nodiscard]] EpochSpan span() const override { return span_; }
  std::optional<Rewrite> on_start(ir::Graph& graph, const exec::Program& program) override;
  [[nodiscard]] bool rewrites() const override { return true; }

 private:
  EpochSpan span_;
};

/// One training run of the task: its own program and sources.
struct SyntheticRun {
  SyntheticSource::Options data = {};
  TrainOptions options = synthetic_options();
  Callbacks callbacks = {};
  std::vector<Strategy*> strategies = {};

  TrainResult operator()() const;
};

}  // namespace espalier::train
