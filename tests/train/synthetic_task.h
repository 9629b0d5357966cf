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

/// One training run of the task: its own program and sources.
struct SyntheticRun {
  SyntheticSource::Options data = {};
  TrainOptions options = synthetic_options();
  Callbacks callbacks = {};

  TrainResult operator()() const;
};

}  // namespace espalier::train
