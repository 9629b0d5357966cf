#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "espalier/data/config.h"
#include "espalier/data/dataset.h"
#include "espalier/data/sample.h"
#include "espalier/data/transform_chain.h"

namespace espalier::data {

/// Where a loader stands: enough to go on after a restart with the same batches.
struct LoaderPosition {
  std::int64_t epoch = 0;
  std::int64_t sample = 0;  ///< samples of this epoch that are delivered or left out
  bool operator==(const LoaderPosition&) const = default;
};

struct LoaderOptions {
  SamplerConfig sampler = {};
  LoaderConfig loader = {};
  std::uint64_t seed = 0;
};

/// What a loader has done since it was made.
struct LoaderStatistics {
  double wait_seconds = 0;       ///< time that next() made its caller wait (reader cost)
  double last_wait_seconds = 0;  ///< the same, of the last call
  std::int64_t num_samples = 0;  ///< samples delivered
  std::int64_t num_skipped = 0;  ///< different samples left out, with those the data set left out
};

/// Delivers batches in a fixed order while worker threads read, decode and augment ahead.
/// Batches depend on the data, the transforms, the seed and the epoch alone: never on the number
/// of workers or on timing. Each sample draws from its own random stream (seed, epoch, index).
/// With BadSamples::Skip a bad sample is left out and the following ones move up.
/// Not thread-safe: one thread calls it.
///
///     for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
///       loader.start({.epoch = epoch});
///       while (std::optional<Batch> batch = loader.next()) { ... }
///     }
class Loader {
 public:
  /// Reads one sample to learn the size of the images. Throws UserError when the configuration
  /// or that sample is bad.
  Loader(DatasetPtr dataset, std::shared_ptr<const TransformChain> transforms,
         const LoaderOptions& options);
  /// Stops the workers and waits for them.
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// Begins an epoch, or goes on inside one. Batches in work are dropped.
  void start(LoaderPosition position = {});
  /// The next batch, or nothing at the end of the epoch. Throws UserError naming a bad sample.
  /// All images of a batch have one size; with batch_size 1 it may differ from batch to batch.
  [[nodiscard]] std::optional<Batch> next();
  /// Where to start to get the batch after the last delivered one.
  [[nodiscard]] LoaderPosition position() const;

  /// Batches of a whole epoch when no sample is left out.
  [[nodiscard]] std::int64_t batches_per_epoch() const;
  [[nodiscard]] std::int64_t samples_per_epoch() const;
  [[nodiscard]] std::int64_t batch_size() const;
  /// Size of the images (of the first one when they differ).
  [[nodiscard]] ImageShape image_shape() const;
  [[nodiscard]] const Dataset& dataset() const;
  [[nodiscard]] LoaderStatistics statistics() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// Opens the data set and makes its transforms and the loader.
[[nodiscard]] Loader make_loader(const DataConfig& config, std::uint64_t seed);

}  // namespace espalier::data
