#pragma once

#include <cstdint>
#include <optional>

#include "espalier/data/sample.h"

namespace espalier::train {

/// Where batches come from. What it gives is a function of its own seed, the epoch and the batch
/// number only, so that a run continues from any position with the same data.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// Batches of one epoch, the same in every epoch; at least 1.
  [[nodiscard]] virtual std::int64_t batches_per_epoch() const = 0;
  /// Makes next() give batch `first_batch` (from 0) of `epoch` (from 0) and those after it.
  virtual void start_epoch(std::int64_t epoch, std::int64_t first_batch) = 0;
  /// The next batch of the epoch; nothing at its end.
  [[nodiscard]] virtual std::optional<data::Batch> next() = 0;
};

}  // namespace espalier::train
